/** The used part of what a socket keeps under its private symbol. */
export interface DatagramState {
  handle: object | null;
}
