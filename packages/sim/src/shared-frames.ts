/**
 * A frame that is sent to many is one array here: what it says is read once, and whether its signatures hold is checked once, for all
 * who receive it. Each receiver still asks, with its own epoch: an answer is given again only to the same question.
 */
import {
  admitMessage,
  type CairnError,
  decodeMessage,
  type EpochSet,
  equalBytes,
  type Message,
  type Result,
  type ValidatorIndex,
  type Verified,
} from '@cairn-ledger/core';

type Decoded = Result<Message, CairnError>;

/** The array carries its answer along: asking a map that weak would take longer than it saves. */
type SharedFrame = Uint8Array & { decoded?: Decoded };

export function decodeOnce(frame: SharedFrame): Decoded {
  frame.decoded ??= decodeMessage(frame);
  return frame.decoded;
}

type Admission = {
  readonly from: ValidatorIndex;
  readonly set: EpochSet;
  readonly previous: EpochSet | null;
  readonly answer: Result<Verified<Message>, CairnError>;
};

type SharedMessage = Message & { admission?: Admission };

/** As `admitMessage`, for one ledger and one verifier. */
export const admitOnce: typeof admitMessage = (message, from, set, ledgerHash, verifier, previous = null) => {
  const shared: SharedMessage = message;
  const known = shared.admission;
  if (known !== undefined && known.from === from && isSameSet(known.set, set) && isSameSet(known.previous, previous))
    return known.answer;
  const answer = admitMessage(message, from, set, ledgerHash, verifier, previous);
  shared.admission = { from, set, previous, answer };
  return answer;
};

function isSameSet(a: EpochSet | null, b: EpochSet | null): boolean {
  return a === b || (a !== null && b !== null && a.epoch === b.epoch && equalBytes(a.digest, b.digest));
}
