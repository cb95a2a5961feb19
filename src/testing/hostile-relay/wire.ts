import type { Socket } from 'node:net';
import { setImmediate as nextTurn, setTimeout as sleep } from 'node:timers/promises';
import type { Chance } from '#simulator/chance.ts';
import type { After, Said } from './mischief.ts';

type Task = { readonly said: Said } | { readonly after: After } | { readonly pauseMs: number } | { readonly run: () => void };

/** Says what it is given in order, cut or glued at any byte, and keeps what left whole. */
export class Wire {
  /** Codes of the replies that went out, 0 for what is none. */
  readonly codes: number[] = [];
  readonly #tcp: Socket;
  #socket: Socket;
  readonly #chance: Chance;
  readonly #tasks: Task[] = [];
  #pumping = false;
  #over = false;

  constructor(socket: Socket, chance: Chance) {
    this.#tcp = socket;
    this.#socket = socket;
    this.#chance = chance;
  }

  /** The same conversation goes on inside TLS. */
  use(socket: Socket): void {
    this.#socket = socket;
  }

  add(...tasks: readonly Task[]): void {
    this.#tasks.push(...tasks);
    if (!this.#pumping) void this.#pump();
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    // What was asked in one packet is answered in one, half of the time.
    if (this.#chance.next() < 0.5) await nextTurn();
    for (let task = this.#tasks.shift(); task && !this.#over; task = this.#tasks.shift()) {
      if ('pauseMs' in task) await sleep(task.pauseMs);
      else if ('after' in task) this.#do(task.after);
      else if ('run' in task) task.run();
      else await this.#say(task.said);
    }
    this.#pumping = false;
  }

  #do(after: After): void {
    this.#over = after !== 'go on';
    if (after === 'end') this.#socket.end();
    if (after === 'reset') this.#tcp.resetAndDestroy();
    if (after === 'deaf') this.#tcp.pause();
  }

  async #say({ text, code, cut }: Said): Promise<void> {
    if (!cut) this.codes.push(code);
    let bytes = Buffer.from(text, 'latin1');
    for (;;) {
      const next = this.#tasks[0];
      // Glued to what comes next.
      if (next && 'said' in next && bytes.length < 10_000 && this.#chance.next() < 0.6) {
        this.#tasks[0] = { said: { ...next.said, text: bytes.toString('latin1') + next.said.text } };
        break;
      }
      const at = this.#chance.next() < 0.25 ? Math.floor(this.#chance.next() * bytes.length) : bytes.length;
      this.#socket.write(bytes.subarray(0, at));
      bytes = bytes.subarray(at);
      if (bytes.length === 0) break;
      await (this.#chance.next() < 0.5 ? nextTurn() : sleep(1));
    }
  }
}
