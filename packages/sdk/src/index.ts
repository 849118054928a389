/**
 * The public door of the SDK: keys, signing, handing in, receipts, verified reads. Everything here runs in Node and in
 * browsers; what touches files belongs to the `cairn` command.
 */
export type {
  AccountAnswer,
  DeviceAnswer,
  KeyAnswer,
  MemberAnswer,
  OutcomeAnswer,
  PeerAnswer,
  Provenance,
  ReadingAnswer,
  ReadingsPage,
  StatusAnswer,
  TransactionAnswer,
  ValidatorAnswer,
  Verdict,
} from './answers.ts';
export type { Client, ClientOptions, Delivered, ReadingsQuery, WaitOptions } from './client.ts';
export { createClient, groupsToSubmit, submitBytesMax, submitCountMax } from './client.ts';
export type { EpochFollower, TrustOptions } from './epochs.ts';
export { createEpochFollower, parseEpochsPage } from './epochs.ts';
export type { FollowOptions, NewsItem, StreamNote } from './event-stream.ts';
export { createEventParser, eventBytesMax, followEvents } from './event-stream.ts';
export type { HttpAnswer, HttpClient, HttpOptions } from './http.ts';
export { createHttpClient } from './http.ts';
export type { KeyPair, PublicKey } from './key.ts';
export { createKey, createSigner, keyToText, publicKeyToText, textToKey, textToPublicKey } from './key.ts';
export type { Reading, ReadingValue } from './reading.ts';
export { isReadingName, numberText, textToReading } from './reading.ts';
export type { RegistrationInput, TransactionContent, TransactionInput, TransferInput } from './transaction.ts';
export { describeTransaction, signTransaction, transactionIdOf } from './transaction.ts';
export type { VerifiedReceipt } from './verify.ts';
export { isSignedBy, verifyReceiptOf } from './verify.ts';
