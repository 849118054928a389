/** The fields of a SenML record (RFC 8428 section 4), and the limits of packs. */

/** Labels of CBOR (RFC 8428 table 4). */
export const senmlLabel = {
  baseVersion: -1,
  baseName: -2,
  baseTime: -3,
  baseUnit: -4,
  baseValue: -5,
  baseSum: -6,
  name: 0,
  unit: 1,
  value: 2,
  stringValue: 3,
  booleanValue: 4,
  sum: 5,
  time: 6,
  updateTime: 7,
  dataValue: 8,
} as const;

/** Names of the same fields in JSON. */
export const senmlJsonLabels: ReadonlyMap<string, number> = new Map([
  ['bver', senmlLabel.baseVersion],
  ['bn', senmlLabel.baseName],
  ['bt', senmlLabel.baseTime],
  ['bu', senmlLabel.baseUnit],
  ['bv', senmlLabel.baseValue],
  ['bs', senmlLabel.baseSum],
  ['n', senmlLabel.name],
  ['u', senmlLabel.unit],
  ['v', senmlLabel.value],
  ['vs', senmlLabel.stringValue],
  ['vb', senmlLabel.booleanValue],
  ['s', senmlLabel.sum],
  ['t', senmlLabel.time],
  ['ut', senmlLabel.updateTime],
  ['vd', senmlLabel.dataValue],
]);

/** Records of one pack, and bytes of a name and of a unit. */
export const packRecordsMax = 1024;
export const nameBytesMax = 255;
export const unitBytesMax = 64;

/** Of a time that is a decimal fraction. */
export const timeExponentMax = 18;
/** Bits after the point of a time that is a float. */
export const timeFloatBitsMax = 128;

/** Seconds: below, a time is relative. */
export const absoluteTimeMin = 1 << 28;
/** The last millisecond of the year 9999. */
export const timeMsMax = 253_402_300_799_999;
