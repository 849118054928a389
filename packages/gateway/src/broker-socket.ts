/** The byte stream to a broker: TCP or TLS, with the packet cutter on its incoming side. */

import { connect as connectTcp, isIP, type Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { connect as connectTls } from 'node:tls';
import { type CairnError, fail, ok, type Result } from '@cairn-ledger/core';
import { createPacketCutter } from './packet-cutter.ts';

export type BrokerAddress = { readonly host: string; readonly port: number; readonly isTls: boolean };

/** PEM texts. Without `ca`, the system's authorities decide. */
export type BrokerTls = { readonly ca?: string; readonly cert?: string; readonly key?: string };

/** Reads `mqtt://host[:port]` or `mqtts://host[:port]`; default ports 1883 and 8883. */
export function parseBrokerUrl(url: string): Result<BrokerAddress, CairnError> {
  const parsed = URL.parse(url);
  const isTls = parsed?.protocol === 'mqtts:';
  if (parsed === null || parsed.hostname === '' || (!isTls && parsed.protocol !== 'mqtt:')) {
    return fail({
      code: 'config.broker-url',
      message: `"${url}" is no broker address: write mqtt://host:1883, or mqtts://host:8883 for TLS`,
    });
  }
  const host = parsed.hostname.replace(/^\[(.*)\]$/, '$1');
  return ok({ host, port: parsed.port === '' ? (isTls ? 8883 : 1883) : Number(parsed.port), isTls });
}

/**
 * @param restBytesMax incoming PUBLISH packets are cut to this many bytes after their length field
 * @param onCut called for every chunk in which a packet was cut
 */
export function openBrokerSocket(
  address: BrokerAddress,
  tls: BrokerTls,
  restBytesMax: number,
  onCut: (count: number) => void,
): Duplex {
  const { host, port } = address;
  // A server name is a name; certificates for addresses are checked against the address itself.
  const servername = isIP(host) === 0 ? host : '';
  const socket = address.isTls ? connectTls({ host, port, servername, ...tls }) : connectTcp({ host, port });
  socket.setNoDelay(true);
  return new CuttingStream(socket, restBytesMax, onCut);
}

class CuttingStream extends Duplex {
  readonly #socket: Socket;

  constructor(socket: Socket, restBytesMax: number, onCut: (count: number) => void) {
    super({ allowHalfOpen: false });
    this.#socket = socket;
    const cutter = createPacketCutter(restBytesMax);
    socket.on('data', (chunk) => {
      const before = cutter.cutCount;
      const pieces = cutter.pass(chunk);
      if (pieces === null) {
        this.destroy(new Error('the broker sent bytes that are not MQTT'));
        return;
      }
      let hasRoom = true;
      for (const piece of pieces) hasRoom = this.push(piece);
      if (!hasRoom) socket.pause();
      if (cutter.cutCount > before) onCut(cutter.cutCount - before);
    });
    socket.once('connect', () => this.emit('connect'));
    socket.once('end', () => this.push(null));
    socket.once('error', (error) => this.destroy(error));
    socket.once('close', () => this.destroy());
  }

  override _read(): void {
    this.#socket.resume();
  }

  override _write(chunk: Uint8Array, _encoding: string, done: (error?: Error | null) => void): void {
    this.#socket.write(chunk, done);
  }

  override _writev(chunks: { chunk: Uint8Array }[], done: (error?: Error | null) => void): void {
    this.#socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
  }

  override _final(done: (error?: Error | null) => void): void {
    this.#socket.end(done);
  }

  override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
    this.#socket.destroy();
    done(error);
  }
}
