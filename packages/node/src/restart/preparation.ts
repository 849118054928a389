/**
 * What the operators of a network that stands still tell each other of their nodes, as JSON: from several of these a restart
 * document is drafted. Nothing in it is secret, and nothing is believed for good: each node holds the document against its own
 * chain when it is applied.
 */
import {
  type CairnError,
  decodeShape,
  encodeCbor,
  fail,
  fromHex,
  isName,
  ok,
  type Result,
  readShape,
  readValidatorSet,
  requireShape,
  sortValidators,
  toEpoch,
  toHash,
  toHeight,
  toHex,
  validatorSetMax,
  validatorToCbor,
} from '@cairn-ledger/core';
import type { NodeStanding } from './standing.ts';

const format = 'cairn-restart-preparation';
const version = 1;
/** As much as the largest set with the longest texts takes. */
export const preparationCharsMax = 1 << 23;
/** What is one more, as the height and the time of a restart block, is a safe integer still. */
const countMax = Number.MAX_SAFE_INTEGER - 1;
/** As in the header of a block. */
const rulesMax = 65_535;

/** For people to read, and for `parsePreparation`. */
export function preparationToJson(standing: NodeStanding): Readonly<Record<string, unknown>> {
  const { nodeId, point, validators, voters, life, isLost } = standing;
  const { signedEpoch, signedHeight, finalizedHeight, votedHeight } = standing;
  return {
    format,
    version,
    node: nodeId,
    ledger: toHex(point.ledgerHash),
    epoch: point.epoch,
    rules: point.rules,
    height: point.height,
    block: toHex(point.parent),
    timeMs: point.timeMs,
    result: toHex(point.result),
    checkpoint: toHex(point.checkpoint),
    finalizedHeight,
    votedHeight,
    signedEpoch,
    signedHeight,
    life: life === null ? null : toHex(life),
    isLost,
    voters: [...voters],
    validators: toHex(encodeCbor(sortValidators(validators).map(validatorToCbor))),
  };
}

/** Error: `restart.bad-preparation`. */
export function parsePreparation(text: string): Result<NodeStanding, CairnError> {
  if (text.length > preparationCharsMax) return refuse(`it has more than ${preparationCharsMax} characters`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return refuse('it is not JSON');
  }
  if (typeof json !== 'object' || json === null || Array.isArray(json)) return refuse('it is not a JSON object');
  const fields = json as Readonly<Record<string, unknown>>;
  const read = readShape('restart.bad-preparation', null, (): NodeStanding => {
    const requireField: typeof requireShape = requireShape;
    const count = (name: string, max = countMax): number => {
      const value = fields[name];
      const isCount = typeof value === 'number' && Number.isSafeInteger(value) && value >= 0 && value <= max;
      requireField(isCount, `${name} is not a count`);
      return value;
    };
    const bytes = (name: string, size?: number): Uint8Array => {
      const value = fields[name];
      const decoded = typeof value === 'string' ? fromHex(value) : null;
      requireField(decoded !== null, `${name} is not hexadecimal`);
      requireField(size === undefined || decoded.length === size, `${name} must have ${size} bytes`);
      return decoded;
    };
    requireField(fields.format === format && fields.version === version, `it is not ${format} ${version}`);
    requireField(typeof fields.node === 'string' && isName(fields.node), 'node is not the id of a node');
    requireField(typeof fields.isLost === 'boolean', 'isLost is not a boolean');
    const validators = decodeShape('restart.bad-preparation', bytes('validators'), readValidatorSet);
    requireField(validators.ok, 'validators is not a set of validators');
    const { voters } = fields;
    const areIds = Array.isArray(voters) && voters.length <= validatorSetMax && voters.every(isId);
    requireField(areIds && new Set(voters).size === voters.length, 'voters is not a list of ids, none twice');
    const epoch = count('epoch');
    requireField(epoch >= 1, 'epochs are counted from 1');
    return {
      nodeId: fields.node,
      point: {
        ledgerHash: toHash(bytes('ledger', 32)),
        epoch: toEpoch(epoch),
        rules: count('rules', rulesMax),
        height: toHeight(count('height')),
        parent: toHash(bytes('block', 32)),
        timeMs: count('timeMs'),
        result: toHash(bytes('result', 32)),
        checkpoint: toHash(bytes('checkpoint', 32)),
      },
      validators: validators.value,
      voters: voters as readonly string[],
      life: fields.life === null ? null : bytes('life', 16),
      isLost: fields.isLost,
      signedEpoch: count('signedEpoch'),
      signedHeight: count('signedHeight'),
      finalizedHeight: count('finalizedHeight'),
      votedHeight: count('votedHeight'),
    };
  });
  return read.ok ? ok(read.value) : refuse(read.error.message);
}

function isId(value: unknown): value is string {
  return typeof value === 'string' && isName(value);
}

function refuse(what: string): Result<never, CairnError> {
  return fail({ code: 'restart.bad-preparation', message: `This is no output of \`cairn restart prepare\`: ${what}.` });
}
