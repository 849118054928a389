/** What the port answers, as the plain JSON of schemas.ts. Fields that are not known yet are left out. */
import type {
  AccountView,
  BlockView,
  CheckpointView,
  DeviceView,
  EpochView,
  KeyView,
  MemberView,
  NodeStatus,
  TransactionStatus,
  ValidatorView,
} from './edge-port.ts';

export function hexOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

export function base64urlOf(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('base64url');
}

/** RFC 3339 text; times that a calendar cannot hold become the nearest one that it can. */
export function isoOf(timeMs: number): string {
  return new Date(Math.max(-8.64e15, Math.min(8.64e15, timeMs))).toISOString();
}

export function transactionJson(status: TransactionStatus) {
  return {
    id: hexOf(status.id),
    status: status.status,
    certified: status.certified,
    code: status.code ?? undefined,
    message: status.message ?? undefined,
    height: status.height ?? undefined,
    position: status.position ?? undefined,
    leafIndex: status.leafIndex ?? undefined,
    provenance: status.provenance ?? undefined,
    bytes: status.bytes === null ? undefined : base64urlOf(status.bytes),
  };
}

export function blockJson(block: BlockView) {
  return {
    height: block.height,
    epoch: block.epoch,
    view: block.view,
    rules: block.rules,
    digest: hexOf(block.digest),
    parent: hexOf(block.parent),
    time: isoOf(block.timeMs),
    timeMs: block.timeMs,
    nextSet: block.nextSet === null ? undefined : hexOf(block.nextSet),
    batches: block.batches.map(({ author, seq, digest }) => ({ author, seq, digest: hexOf(digest) })),
    transactionCount: block.transactionCount,
    transactions: block.transactions?.map(({ id, code, leafIndex }) => ({
      id: hexOf(id),
      code,
      leafIndex: leafIndex ?? undefined,
    })),
  };
}

export function checkpointJson(checkpoint: CheckpointView) {
  return {
    height: checkpoint.height,
    epoch: checkpoint.epoch,
    round: checkpoint.round,
    historySize: checkpoint.historySize,
    historyRoot: hexOf(checkpoint.historyRoot),
    stateRoot: hexOf(checkpoint.stateRoot),
    validatorSet: hexOf(checkpoint.validatorSet),
    certified: checkpoint.certified,
    signatures: checkpoint.signatures.map((row) => ({
      validator: row.validator,
      protected: base64urlOf(row.protected),
      signature: base64urlOf(row.signature),
    })),
  };
}

export function validatorJson(validator: ValidatorView) {
  return {
    id: validator.id,
    member: validator.member,
    linkKey: hexOf(validator.linkKey),
    votingKey: hexOf(validator.votingKey),
    checkpointKey: hexOf(validator.checkpointKey),
    addresses: [...validator.addresses],
    host: validator.host,
    operator: validator.operator,
  };
}

export function epochJson(epoch: EpochView) {
  const { validatorSet, validators, toHeight, rules, proof, ...plain } = epoch;
  return {
    ...plain,
    toHeight: toHeight ?? undefined,
    rules: rules ?? undefined,
    validatorSet: hexOf(validatorSet),
    validators: [...validators],
    proof: proof === null ? undefined : base64urlOf(proof),
  };
}

export function statusJson(status: NodeStatus) {
  const { ledger, fencedFor, blockTimeMs, historyRoot, stateRoot, peers, ...plain } = status;
  return {
    ...plain,
    fencedFor: fencedFor ?? undefined,
    ledger: { name: ledger.name, hash: hexOf(ledger.hash) },
    blockTime: isoOf(blockTimeMs),
    historyRoot: hexOf(historyRoot),
    stateRoot: hexOf(stateRoot),
    peers: peers.map(({ id, connected, height, roundTripMs }) => ({
      id,
      connected,
      height: height ?? undefined,
      roundTripMs: roundTripMs ?? undefined,
    })),
  };
}

export function keyJson(key: KeyView) {
  return {
    kid: hexOf(key.kid),
    algorithm: key.algorithm,
    role: key.role,
    publicKey: hexOf(key.publicKey),
    registeredHeight: key.registeredHeight,
    revokedHeight: key.revokedHeight ?? undefined,
  };
}

export function accountJson(account: AccountView) {
  return {
    id: account.id,
    balances: account.balances.map(({ asset, amount, decimals }) => ({ asset, amount: amount.toString(), decimals })),
  };
}

export function memberJson(member: MemberView) {
  return { id: member.id, name: member.name, keys: member.keys.map(keyJson) };
}

export function deviceJson(device: DeviceView) {
  return { id: device.id, member: device.member, device: device.device, keys: device.keys.map(keyJson) };
}
