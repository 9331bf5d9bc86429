/** What a soaked process says. */
export type Report =
  | { what: 'ready'; port: number }
  | {
      what: 'sample';
      slots: number;
      blocks: number;
      /** V8's heap after a collection and the buffers that it holds, in MiB. */
      heap: number;
      /** Workers that were terminated so far. */
      workers: number;
      /** The delay of the event loop since the last sample, in milliseconds: its median, and 99 of 100. */
      median: number;
      slowest: number;
    }
  | {
      what: 'end';
      /** How many rounds of each activity were made. */
      rounds: Record<string, number>;
      /** How many ended for want of descriptors. */
      refused: number;
      stale: number;
      overflow: number;
      blocks: number;
      completed: number;
    };

/** What is drawn. */
export interface Sample {
  /** Seconds since the beginning. */
  time: number;
  /** Resident memory, in MiB. */
  memory: number;
  descriptors: number;
  slots: number;
  blocks: number;
  /** As in `Report`. */
  heap: number;
  /** As in `Report`. */
  workers: number;
  /** As in `Report`. */
  median: number;
  slowest: number;
}
