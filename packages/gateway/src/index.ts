/** The public door of the gateway: MQTT in, outbox on disk, verdicts and receipts out. */

export type { BrokerTls } from './broker-socket.ts';
export { createClientLedger } from './client-ledger.ts';
export type { Gateway, GatewayConfig, GatewayEvent, GatewayStatus } from './gateway.ts';
export { startGateway } from './gateway.ts';
export type { LedgerPort, SubmitOutcome, TransactionVerdict } from './ledger-port.ts';
export type { Topics } from './topics.ts';
export { topicsOf } from './topics.ts';
