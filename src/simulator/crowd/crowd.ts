import { waitingTime } from '#simulator/chance.ts';
import type { Text } from '#simulator/twilio/inbound.ts';
import type { Arrival, People, World } from '#simulator/world.ts';
import { Browser, type Page } from './browser.ts';
import { chooseAnswer } from './choose.ts';
import { Guests, type Subscribe } from './guests.ts';
import { type Form, formsIn, type Links, linksIn } from './page-forms.ts';

/** How many reactions are remembered, since one person gets the same link over several channels and reacts once. */
const MAX_SEEN = 500_000;
/** Waits before a page that is down is tried again; after the last one it is given up. */
const RETRY_SECONDS = [3, 10, 30];

/**
 * The people who get the messages. Their luck depends on the path of the answer link, which is the same for a person and a
 * message on all channels, so a run with the same seed and the same people ends the same way.
 */
export class Crowd implements People {
  readonly #world: World;
  readonly #browser: Browser;
  readonly #text: (text: Text) => Promise<number>;
  readonly #guests: Guests;
  readonly #seen = new Set<string>();

  constructor(world: World, text: (text: Text) => Promise<number>, subscribe: Subscribe) {
    this.#world = world;
    this.#text = text;
    this.#browser = new Browser(world.installation.publicUrl, world.log);
    this.#guests = new Guests(world, this.#browser, text, subscribe);
  }

  get awake(): boolean {
    const { crowd, robots, push, addresses } = this.#world.behaviour;
    if (crowd.answerShare > 0 || crowd.stopShare > 0 || robots.share > 0 || push.beaconShare > 0 || this.#guests.count > 0) return true;
    return Object.values(addresses).some((override) => typeof override.answer === 'string');
  }

  /** Forgets who has reacted and who has joined. */
  forget(): void {
    this.#seen.clear();
    this.#guests.forget();
  }

  arrived(arrival: Arrival): void {
    const { behaviour, chance, installation } = this.#world;
    const links = linksIn(arrival.text, installation.publicUrl);
    if (chance.of('robot', arrival.to, links.all[0] ?? '') < behaviour.robots.share)
      for (const link of links.all) this.#later(behaviour.robots.withinSeconds * chance.next(), () => this.#crawl(link));
    if (arrival.channel === 'push') this.#beacon(arrival);
    if (links.confirm !== undefined && this.#guests.has(arrival.to)) return this.#confirm(links.confirm);
    const person = links.answer === undefined ? `${arrival.channel} ${arrival.to} ${arrival.text}` : new URL(links.answer).pathname;
    if (this.#seen.has(person)) return;
    this.#remember(person);
    this.#react(arrival, links, person);
  }

  close(): Promise<void> {
    return this.#browser.close();
  }

  async #crawl(link: string): Promise<void> {
    const page = await this.#browser.preview(link);
    if (!this.#world.behaviour.robots.deep) return;
    for (const inner of linksIn(page.html, this.#world.installation.publicUrl).all) if (inner !== link) await this.#browser.preview(inner);
  }

  #react(arrival: Arrival, links: Links, person: string): void {
    const { behaviour, chance } = this.#world;
    const { crowd } = behaviour;
    const seconds = Math.min(
      crowd.delay.maxSeconds,
      waitingTime(crowd.delay.medianSeconds, crowd.delay.spread, chance.of('delay', person), chance.of('delay 2', person)),
    );
    if (chance.of('stop', person) < crowd.stopShare) return this.#later(seconds, () => this.#stop(arrival, links));
    const told = behaviour.addresses[arrival.to]?.answer;
    if (links.answer === undefined || told === false) return;
    if (told === undefined && chance.of('answer', person) >= crowd.answerShare) return;
    const link = links.answer;
    this.#later(seconds, () => this.#answer(arrival, link, links.share, told, person));
  }

  /** Opens the page, chooses, and presses the button or replies by text. */
  async #answer(arrival: Arrival, link: string, shareLink: string | undefined, told: string | undefined, person: string): Promise<void> {
    const { behaviour, chance, installation } = this.#world;
    const { crowd } = behaviour;
    if (arrival.channel === 'push' && chance.of('by action', person) < crowd.byActionShare && (await this.#tap(arrival, link, told, person))) return;
    const page = await this.#patiently(() => this.#browser.get(link));
    const form = formsIn(page.html).find(({ buttons }) => buttons.some(({ name }) => name === 'answer'));
    const keys = form?.buttons.flatMap(({ name, value }) => (name === 'answer' ? [value] : [])) ?? [];
    const key = told ?? chooseAnswer(keys, crowd.choices, chance.of('choice', person));
    if (form && key !== undefined) {
      const byText = arrival.channel === 'sms' && told === undefined && chance.of('by text', person) < crowd.bySmsShare;
      const status = byText ? await this.#text({ from: arrival.to, to: arrival.from, body: key }) : (await this.#press(page, form, { answer: key })).status;
      if (status >= 400 || status === 0) this.#world.log.warn({ status, byText }, 'an answer was not taken');
    }
    const share = shareLink ?? linksIn(page.html, installation.publicUrl).share;
    if (share !== undefined && chance.of('share', person) < crowd.shareShare) this.#guests.invite(share);
  }

  /**
   * Taps a button of the notification, as Muster's service worker sends it.
   * @returns false when there is no button or the tap failed
   */
  async #tap(arrival: Arrival, link: string, told: string | undefined, person: string): Promise<boolean> {
    const { behaviour, chance } = this.#world;
    const key = told ?? chooseAnswer(actionsOf(arrival.text), behaviour.crowd.choices, chance.of('choice', person));
    if (key === undefined) return false;
    const page = await this.#patiently(() => this.#browser.script('GET', link));
    const nonce = page.status === 200 ? /"nonce":"([^"]+)"/.exec(page.html)?.[1] : undefined;
    if (nonce === undefined) return false;
    const sent = await this.#patiently(() => this.#browser.script('POST', link, new URLSearchParams({ answer: key, nonce, way: 'push' })));
    return sent.status === 200;
  }

  /** Presses a button; when the page is down or too busy, opens it again for a fresh form. */
  #press(page: Page, form: Form, values: Record<string, string>): Promise<Page> {
    return this.#patiently(() => this.#browser.submit(page, form, values));
  }

  async #stop(arrival: Arrival, links: Links): Promise<void> {
    if (arrival.channel === 'sms') {
      await this.#text({ from: arrival.to, to: arrival.from, body: 'STOP' });
    } else if (arrival.oneClickUrl !== undefined) {
      await this.#patiently(() => this.#browser.post(arrival.oneClickUrl ?? '', { 'List-Unsubscribe': 'One-Click' }));
    } else if (links.unsubscribe !== undefined) {
      const link = links.unsubscribe;
      const page = await this.#patiently(() => this.#browser.get(link));
      const form = formsIn(page.html).find(({ method }) => method === 'post');
      if (form) await this.#press(page, form, buttonOf(form));
    }
  }

  /** A guest's second step: opens the link of the mail and presses the button there. */
  #confirm(link: string): void {
    this.#later(1 + this.#world.chance.of('confirm', link), async () => {
      const page = await this.#patiently(() => this.#browser.get(link));
      const form = formsIn(page.html).find(({ method }) => method === 'post');
      if (form) await this.#press(page, form, buttonOf(form));
    });
  }

  /** What the service worker does when it shows a notification. */
  #beacon(arrival: Arrival): void {
    const { behaviour, chance } = this.#world;
    const url = /"beacon":"([^"]+)"/.exec(arrival.text)?.[1];
    if (url === undefined || chance.of('beacon', url) >= behaviour.push.beaconShare) return;
    this.#later(0, () => this.#browser.script('POST', url));
  }

  async #patiently(load: () => Promise<Page>): Promise<Page> {
    let page = await load();
    for (const seconds of RETRY_SECONDS) {
      if (page.status !== 0 && page.status !== 429 && page.status !== 503) return page;
      await new Promise<void>((done) => this.#world.agenda.after(1000 * seconds, done));
      page = await load();
    }
    return page;
  }

  #later(seconds: number, action: () => Promise<unknown>): void {
    this.#world.agenda.after(1000 * seconds, () => action().catch((error: unknown) => this.#world.log.warn({ err: error }, 'a simulated person stumbled')));
  }

  #remember(person: string): void {
    this.#seen.add(person);
    if (this.#seen.size > MAX_SEEN) for (const oldest of this.#seen) return void this.#seen.delete(oldest);
  }
}

/** The answers that a notification's buttons stand for. */
const actionsOf = (payload: string): string[] => [...payload.matchAll(/"action":"([^"]+)"/g)].map(([, action = '']) => action);

/** What the form's first button sends. */
function buttonOf(form: Form): Record<string, string> {
  const [button] = form.buttons;
  return button && button.name !== '' ? { [button.name]: button.value } : {};
}
