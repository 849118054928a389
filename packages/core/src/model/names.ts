/**
 * Names on the ledger (wire-format.md section 4): members, devices, assets and validators are `[a-z0-9-]{1,32}`; an
 * account is `member` or `member/device`. Names are ascii and compared as bytes; display names are never identity.
 */

const namePattern = /^[a-z0-9-]{1,32}$/;
const accountPattern = /^[a-z0-9-]{1,32}(?:\/[a-z0-9-]{1,32})?$/;

/** An account, taken apart: `device` is null for the account of the member itself. */
export type AccountName = { readonly member: string; readonly device: string | null };

export function isName(text: string): boolean {
  return namePattern.test(text);
}

/** Takes `member` or `member/device` apart; null when the text is neither. */
export function parseAccount(text: string): AccountName | null {
  if (!accountPattern.test(text)) return null;
  const slash = text.indexOf('/');
  return slash < 0 ? { member: text, device: null } : { member: text.slice(0, slash), device: text.slice(slash + 1) };
}

/** Takes `member/device` apart; null when the text is not the name of a device. */
export function parseDevice(text: string): { readonly member: string; readonly device: string } | null {
  const account = parseAccount(text);
  return account === null || account.device === null ? null : { member: account.member, device: account.device };
}

export function accountOf(member: string, device: string | null): string {
  return device === null ? member : `${member}/${device}`;
}
