import type { SubscriptionJson } from '#simulator/push/subscriptions.ts';
import type { Text } from '#simulator/twilio/inbound.ts';
import type { World } from '#simulator/world.ts';
import type { Browser } from './browser.ts';
import { formsIn, joinTextIn, shareDataIn } from './page-forms.ts';

/** North American area codes; with 555 behind them the numbers are well formed and belong to no mobile phone. */
const AREAS = ['201', '202', '203', '205', '206', '207', '208', '209', '210', '212', '213', '214', '215', '216', '217', '218', '219', '224', '225', '228'];

/** Makes a browser's push subscription for the page's application server key. */
export type Subscribe = (applicationServerKey: string) => Promise<SubscriptionJson | undefined>;

/** A look shorter than this is no visit. */
const LOOK_MS = 1100;

/** People who were not in anybody's list: they open a link that was passed on to them, and some of them join. */
export class Guests {
  readonly #world: World;
  readonly #browser: Browser;
  readonly #text: (text: Text) => Promise<number>;
  readonly #known = new Set<string>();
  /** Makes the people differ from run to run, although each run starts to count at zero. */
  readonly #run: number;
  readonly #subscribe: Subscribe;
  #made = 0;

  constructor(world: World, browser: Browser, text: (text: Text) => Promise<number>, subscribe: Subscribe) {
    this.#subscribe = subscribe;
    this.#world = world;
    this.#browser = browser;
    this.#text = text;
    this.#run = Math.floor(world.clock.now() / 1000);
  }

  /** How many have asked to join. */
  get count(): number {
    return this.#known.size;
  }

  has(address: string): boolean {
    return this.#known.has(address);
  }

  forget(): void {
    this.#known.clear();
  }

  /** Somebody passes the link on; those who get it open it in the next minute or so. */
  invite(link: string): void {
    const { behaviour, chance, agenda, log } = this.#world;
    const path = new URL(link).pathname;
    const visitors = 1 + Math.floor(chance.of('visitors', path) * behaviour.crowd.visitsPerShare);
    for (let n = 0; n < visitors; n++) {
      const seconds = behaviour.crowd.delay.medianSeconds * 2 * chance.of('visit', path, n);
      agenda.after(1000 * seconds, () => this.#visit(link, n).catch((error: unknown) => log.warn({ err: error }, 'a simulated guest stumbled')));
    }
  }

  async #visit(link: string, n: number): Promise<void> {
    const { behaviour, chance, log } = this.#world;
    const { crowd } = behaviour;
    const path = new URL(link).pathname;
    const page = await this.#browser.get(link);
    if (page.status === 200) this.#look(page.html);
    if (page.status !== 200 || this.#known.size >= crowd.maxGuests || chance.of('join', path, n) >= crowd.joinShare) return;
    const byText = joinTextIn(page.html);
    const form = formsIn(page.html).find(({ action, inputs, method }) => method === 'post' && action.includes('/join') && inputs.includes('email'));
    this.#made += 1;
    const share = shareDataIn(page.html);
    if (share?.vapid && chance.of('join by push', path, n) < crowd.joinByPushShare) {
      const subscription = await this.#subscribe(share.vapid);
      const answer = await this.#browser.script('POST', this.#url(`${share.path}/join`), { nonce: share.nonce, subscription, locale: 'en' });
      if (answer.status >= 400 || answer.status === 0) log.warn({ status: answer.status }, 'a subscription to join was not taken');
    } else if (byText && (!form || chance.of('join by text', path, n) < crowd.joinBySmsShare)) {
      const phone = this.#phone();
      this.#known.add(phone);
      const status = await this.#text({ from: phone, to: byText.to, body: byText.body });
      if (status >= 400 || status === 0) log.warn({ status }, 'a text to join was not taken');
    } else if (form) {
      const email = `guest-${this.#run.toString(36)}-${this.#made}@crowd.example`;
      this.#known.add(email);
      const answer = await this.#browser.submit(page, form, { channel: 'email', email });
      if (answer.status >= 400 || answer.status === 0) log.warn({ status: answer.status }, 'a form to join was not taken');
    }
  }

  /** The share page's script tells of people who stay for a second, so that robots are not counted as visitors. */
  #look(html: string): void {
    const share = shareDataIn(html);
    if (share) this.#world.agenda.after(LOOK_MS, () => this.#browser.script('POST', this.#url(`${share.path}/seen`), { nonce: share.nonce }));
  }

  #url(path: string): string {
    return new URL(path, this.#world.installation.publicUrl).href;
  }

  #phone(): string {
    const number = (this.#run * 131 + this.#made) % (AREAS.length * 10_000);
    return `+1${AREAS[Math.floor(number / 10_000)]}555${String(number % 10_000).padStart(4, '0')}`;
  }
}
