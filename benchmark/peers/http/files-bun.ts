/** The peer: Bun's own HTTP server, the files of a folder. `bun files-bun.js FOLDER [port] [host]` */
import { serve } from './bun-serve.js';

declare const Bun: { file(path: string): Blob };

const [folder = '.'] = process.argv.slice(2);

serve(request => new Response(Bun.file(folder + new URL(request.url).pathname)), 1);
