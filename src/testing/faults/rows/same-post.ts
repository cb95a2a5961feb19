import { setTimeout as delay } from 'node:timers/promises';
import { startProxy } from '#testing/faults/proxy.ts';
import { Promises, type Row, seeded } from '#testing/faults/row.ts';
import { kill, type World } from '#testing/faults/world.ts';
import { until } from '#testing/until.ts';

const draft = (key: string) => ({ class: 'ops', text: { en: `Key ${key}` }, audience: { all: true }, channels: ['sms'], launch: true });
const stored = (world: World): Promise<number> => world.number(`SELECT count(*) AS n FROM messages WHERE text ->> 'en' LIKE 'Key %'`);

/** Replies are lost on the way and the API is killed; the client repeats with the same key until it has an answer. */
export const lostReply: Row = {
  name: 'lost-reply',
  about: 'replies cut after the commit, the API killed, the client repeats',
  async run(world, { short, seed }) {
    const random = seeded(seed);
    const keys = short ? 100 : 1_000;
    await world.people(1);
    await world.start({ workers: 1 });
    const port = Number(new URL(world.apiUrl).port);
    const proxy = await startProxy({ targets: () => [port], cutsAnswer: () => random() < 0.3 });
    const ids = new Map<string, string>();
    let repeats = 0;
    const odd: string[] = [];
    let next = 0;
    const client = async (): Promise<void> => {
      for (let n = next++; n < keys; n = next++) {
        const key = `post-${n}`;
        for (let tries = 0; ; tries++) {
          const answer = await world
            .call<{ id: string }>('POST', '/v1/messages', draft(key), { headers: { 'idempotency-key': key }, base: proxy.url, timeoutMs: 30_000 })
            .catch(() => ({ status: 0, body: { id: '' } }));
          if (answer.status === 201) {
            ids.set(key, answer.body.id);
            break;
          }
          repeats += 1;
          if (![0, 409, 503].includes(answer.status)) odd.push(`${answer.status} ${JSON.stringify(answer.body)}`);
          if (tries > 500) throw new Error(`${key} never got its answer`);
          await delay(answer.status === 0 ? 20 : 500);
        }
      }
    };
    const clients = Promise.all(Array.from({ length: 10 }, client));
    const kills = short ? 1 : 5;
    let recoverMs = 0;
    for (let i = 1; i <= kills; i++) {
      await Promise.race([until(() => ids.size >= (keys * i) / (kills + 1), 120_000, 'posts stand still'), clients]);
      const api = world.apis.pop();
      if (api) await kill(api);
      const before = ids.size;
      await world.startApi();
      recoverMs = Math.max(recoverMs, await until(() => ids.size > before || ids.size === keys, 30_000, 'the API does not answer again'));
    }
    await clients;
    await proxy.close();
    const messages = await stored(world);
    const all = [...ids.values()].map((id) => world.idOf(id));
    await world.settled(all);
    const verdict = await world.check(all);
    const promises = new Promises();
    promises.hold(messages === keys, `${messages} messages for ${keys} keys`);
    promises.hold(new Set(all).size === keys, `${new Set(all).size} different ids`);
    promises.none(verdict, 'lost', 'doubled');
    promises.hold(odd.length === 0, odd.slice(0, 3).join('; '));
    return promises.result(verdict, {
      injected: `30 % of replies cut, SIGKILL of the API x ${kills}`,
      people: keys,
      lost: keys - new Set(all).size + verdict.lost,
      doubled: Math.max(0, messages - keys) + verdict.doubled,
      recoverMs,
      notes: [`${keys} keys, ${messages} messages, ${proxy.cuts()} replies cut, ${repeats} repeats`],
    });
  },
};

export const samePost: Row = {
  name: 'same-post',
  about: '50 equal POSTs at once, for many keys',
  async run(world, { short }) {
    const keys = short ? 10 : 200;
    await world.people(1);
    await world.startApi();
    const statuses = new Map<number, number>();
    let disagreeing = 0;
    for (let n = 0; n < keys; n++) {
      const key = `same-${n}`;
      const answers = await Promise.all(
        Array.from({ length: 50 }, () => world.call<{ id: string }>('POST', '/v1/messages', draft(key), { headers: { 'idempotency-key': key } })),
      );
      for (const { status } of answers) statuses.set(status, (statuses.get(status) ?? 0) + 1);
      const ids = new Set(answers.filter(({ status }) => status === 201).map(({ body }) => body.id));
      if (ids.size !== 1) disagreeing += 1;
    }
    const changed = await world.call('POST', '/v1/messages', draft('changed'), { headers: { 'idempotency-key': 'same-0' } });
    const messages = await stored(world);
    const promises = new Promises();
    promises.hold(messages === keys, `${messages} messages for ${keys} keys`);
    promises.hold(disagreeing === 0, `${disagreeing} keys with no or several ids`);
    promises.hold(changed.status === 422, `a changed body got ${changed.status}`);
    promises.hold(
      [...statuses.keys()].every((status) => status === 201 || status === 409),
      `statuses ${JSON.stringify([...statuses])}`,
    );
    return {
      injected: `50 equal POSTs at once x ${keys} keys`,
      people: keys,
      lost: Math.max(0, keys - messages),
      doubled: Math.max(0, messages - keys),
      inDoubt: 0,
      recoverMs: null,
      notes: [[...statuses].map(([status, n]) => `${n} x ${status}`).join(', '), `changed body: ${changed.status}`],
      broken: promises.broken,
    };
  },
};
