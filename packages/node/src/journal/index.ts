/** What the simulator's disk needs of the journal: the layout of frames and records, without files. */
export { bytesToRecord, recordToBytes } from '../driver/journal-record.ts';
export {
  chainStart,
  checkFrame,
  decodeFrameHeader,
  frameBytesOf,
  frameHeaderBytes,
  recordsOf,
} from './frame.ts';
export { createPendingFrame } from './pending-frame.ts';
