/** The files of the scenarios, made for the first one that needs them and kept to the end of the run. */
import { makeFiles, removeFiles } from '../peers/fs/fixture.js';

let folder: string | undefined;

export function files(): string {
  if (folder === undefined) {
    const made = makeFiles();
    process.once('exit', () => removeFiles(made));
    folder = made;
  }
  return folder;
}
