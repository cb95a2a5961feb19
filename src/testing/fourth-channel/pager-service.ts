import { createHmac } from 'node:crypto';
import { request } from 'undici';
import { startHttp } from '#testing/loopback.ts';

export interface Page {
  readonly id: string;
  readonly from: string;
  readonly to: string;
  readonly text: string;
  readonly callback: string;
}

export interface PagerService {
  readonly url: string;
  readonly key: string;
  /** Every page that was taken, in their order. */
  readonly pages: readonly Page[];
  /** Pagers of these numbers were given back: pages to them are taken, and never shown. */
  readonly closed: Set<string>;
  /** Somebody types a text on their pager. @returns what the answer says is to be shown there */
  type(api: string, text: { id: string; from: string; to: string; text: string }): Promise<string>;
  /** Calls a URL of ours with a JSON body. @param key signs; another one than our own is a forger's */
  call(url: string, body: object, key?: string): Promise<{ status: number; text: string }>;
  close(): Promise<void>;
}

/** The carrier of the channel `pager`, which takes pages and tells what became of them. */
export async function startPagerService(): Promise<PagerService> {
  const key = 'a key that both sides know';
  const pages: Page[] = [];
  const closed = new Set<string>();
  const under = new Set<Promise<unknown>>();
  const call: PagerService['call'] = async (url, body, secret = key) => {
    const json = JSON.stringify(body);
    const signature = createHmac('sha256', secret).update(url).update(json).digest('hex');
    const headers = { 'content-type': 'application/json', 'x-pager-signature': signature };
    const answer = await request(url, { method: 'POST', headers, body: json });
    return { status: answer.statusCode, text: await answer.body.text() };
  };
  const server = await startHttp(({ body, headers }, response) => {
    if (headers.authorization !== `Bearer ${key}`) return void response.writeHead(401).end('{"code":"wrong_key"}');
    const page = { id: `page-${pages.length + 1}`, ...(JSON.parse(Buffer.from(body, 'latin1').toString()) as Omit<Page, 'id'>) };
    pages.push(page);
    response.writeHead(202).end(JSON.stringify({ id: page.id }));
    const told = call(page.callback, { id: page.id, state: closed.has(page.to) ? 'closed' : 'shown' }).finally(() => under.delete(told));
    under.add(told);
  });
  return {
    url: `http://127.0.0.1:${server.port}`,
    key,
    pages,
    closed,
    call,
    type: async (api, text) => (JSON.parse((await call(`${api}/hooks/pager/texts`, text)).text) as { reply: string }).reply,
    close: async () => {
      await Promise.all(under);
      await server.close();
    },
  };
}
