import { html } from 'hono/html';
import { type AnswerWay, type Channel, CHANNELS, factsOf } from '#schemas/channel-facts.ts';
import type { DeliveryState, MessageClass } from '#schemas/delivery.ts';
import type { DeliveryView, MessageView, StateCounts } from '#schemas/views.ts';
import type { BoardData } from './board-data.ts';
import { paceCard } from './forecast-view.ts';
import { CHANNEL_NAMES, codeName, DELIVERY_STATE_NAMES, isAboutRecipient, number, people, percent, plural } from '#web/console/shell/format.ts';
import { inboundList } from './inbound-view.ts';
import { spreadCard } from './spread-view.ts';
import { unreadCard } from './unread-view.ts';
import { bar, barKey, deliveryTag, doubtLine, type Html, type Part, type Segment, time } from '#web/console/shell/parts.ts';

const GROUPS: readonly { label: string; fill: string; states: readonly DeliveryState[]; always: boolean }[] = [
  { label: 'Delivered', fill: 'f-delivered', states: ['delivered'], always: true },
  { label: DELIVERY_STATE_NAMES.accepted, fill: 'f-accepted', states: ['accepted'], always: true },
  { label: 'Being sent', fill: 'f-attempting', states: ['attempting'], always: false },
  { label: 'Waiting', fill: 'f-pending', states: ['pending'], always: true },
  { label: 'In doubt', fill: 'f-unknown', states: ['unknown', 'unresolved'], always: false },
  { label: 'Not reached', fill: 'f-failed', states: ['failed'], always: true },
  { label: 'Cancelled or too late', fill: 'f-other', states: ['cancelled', 'expired'], always: false },
];

const sum = (counts: StateCounts, states: readonly DeliveryState[]): number => states.reduce((total, state) => total + counts[state], 0);
const total = (counts: StateCounts): number => GROUPS.reduce((all, group) => all + sum(counts, group.states), 0);
/** The number of people who chose an answer that counts as a yes; undefined where no answer does. */
export function saidYes(message: MessageView): number | undefined {
  const yes = message.answerOptions.filter((option) => option.counts);
  return yes.length === 0 ? undefined : yes.reduce((n, option) => n + (message.answers[option.key] ?? 0), 0);
}
const segments = (counts: StateCounts): Segment[] =>
  GROUPS.map((group) => ({ label: group.label, fill: group.fill, n: sum(counts, group.states), always: group.always })).filter(
    (segment) => segment.always || segment.n > 0,
  );

/** The number of calls that a carrier has taken. */
export const handedOver = (counts: StateCounts): number => counts.accepted + counts.delivered;
export const answered = (message: MessageView): number => Object.entries(message.answers).reduce((n, [key, count]) => (key === 'none' ? n : n + count), 0);

function byChannel(message: MessageView): { channel: Channel; counts: StateCounts }[] {
  return CHANNELS.flatMap((channel) => {
    const waves = message.waves.filter((wave) => wave.channel === channel);
    if (waves.length === 0) return [];
    const counts = { ...message.deliveries };
    for (const state of Object.keys(counts) as DeliveryState[]) counts[state] = waves.reduce((n, wave) => n + wave[state], 0);
    return [{ channel, counts }];
  });
}

/** Says in one sentence how things stand, for those who look for a second only. */
export function summaryLine(message: MessageView): string {
  const count = message.audience.count ?? 0;
  const { deliveries } = message;
  const doubt = deliveries.unknown + deliveries.unresolved;
  const parts = [`${people(count)} asked`, `${plural(handedOver(deliveries), 'delivery', 'deliveries')} handed over`, `${number(answered(message))} answered`];
  const yes = saidYes(message);
  if (yes !== undefined) parts.push(`${number(yes)} said yes`);
  if (doubt > 0) parts.push(`${number(doubt)} in doubt`);
  if (deliveries.failed > 0) parts.push(`${number(deliveries.failed)} not reached`);
  return `${parts.join(', ')}.`;
}

function waitingFor({ name, channel, stoppedReason, code }: BoardData['waits'][number]): Html {
  const why =
    stoppedReason === null
      ? `its provider fails${code ? ` (${code})` : ''}. It is tried again by itself.`
      : `it stopped: ${stoppedReason}. A person must release it.`;
  return html`<p class="note bad"><b>Waits for ${name} (${CHANNEL_NAMES[channel]}):</b> ${why} <a href="/settings">Senders</a></p>`;
}

function figures(message: MessageView, waits: BoardData['waits']): Html {
  const all = total(message.deliveries);
  const asked = message.audience.count ?? 0;
  const many = all > asked;
  const yes = saidYes(message);
  return html`<section class="card stack" aria-labelledby="reach-title">
    <h2 id="reach-title">Reach</h2>
    ${message.state === 'scheduled' && html`<p class="note"><b>Starts ${time(message.times.startAt)}.</b> Nothing has left yet.</p>`}
    ${waits.map(waitingFor)}
    <p class="hide" id="summary-line">${summaryLine(message)}</p>
    <dl class="facts large">
      <div><dt>People</dt><dd>${number(message.audience.count ?? 0)}</dd></div>
      <div><dt>Handed over</dt><dd>${percent(handedOver(message.deliveries), all)}</dd></div>
      <div><dt>Answered</dt><dd>${number(answered(message))}</dd></div>
      ${yes !== undefined && html`<div><dt>Said yes</dt><dd class="yes">${number(yes)}</dd></div>`}
    </dl>
    ${bar(segments(message.deliveries), all)} ${barKey(segments(message.deliveries), number)}
    ${many && html`<p class="soft small">${plural(all, 'delivery', 'deliveries')} in all${all - asked === message.spread.joins ? `: ${people(asked)} were asked, ${number(message.spread.joins)} joined later` : '. A person may get the message on more than one channel, and people may have joined'}.</p>`}
    ${
      byChannel(message).length > 0 &&
      html`<table class="fit"><thead><tr><th scope="col">Channel</th><th scope="col" class="num">Planned</th><th scope="col" class="num">Handed over</th><th scope="col" class="num">Not reached</th></tr></thead>
      <tbody>${byChannel(message).map(
        ({ channel, counts }) =>
          html`<tr><th scope="row">${CHANNEL_NAMES[channel]}${bar(segments(counts), total(counts), true)}</th><td class="num">${number(total(counts))}</td><td class="num">${number(handedOver(counts))}</td><td class="num">${number(counts.failed)}</td></tr>`,
      )}</tbody></table>`
    }
  </section>`;
}

function answersCard({ message, answers }: BoardData): Part {
  if (message.answerOptions.length === 0 && answered(message) === 0) return '';
  const asked = answered(message) + (message.answers['none'] ?? 0);
  return html`<section class="card stack" aria-labelledby="answers-title">
    <div class="head"><h2 id="answers-title">Answers</h2><a class="small" href="/messages/${message.id}/answers">All answers</a></div>
    <table><thead class="hide"><tr><th scope="col">Answer</th><th scope="col">People</th></tr></thead><tbody>
      ${message.answerOptions.map((option) => {
        const n = message.answers[option.key] ?? 0;
        return html`<tr><th scope="row">${option.label}${option.counts && html` <span class="tag good">yes</span>`}${bar([{ n, fill: 'f-accent', label: option.label }], asked, true)}</th><td class="num">${number(n)}</td></tr>`;
      })}
      <tr><th scope="row" class="soft">No answer yet</th><td class="num">${number(message.answers['none'] ?? 0)}</td></tr>
    </tbody></table>
    ${answers.length > 0 && html`<h3>Latest</h3><ul class="list">${answers.map(answerItem)}</ul>`}
  </section>`;
}

const wayName = (way: AnswerWay): string => {
  if (way === 'page') return 'on the page';
  const { buttons, names } = factsOf(way);
  return buttons ? 'in the notification' : `by ${names.inText}`;
};

export const answerItem = (answer: BoardData['answers'][number]): Html =>
  html`<li class="item"><div><a class="title" href="/people/${answer.recipientId}">${answer.name ?? 'Unnamed'}</a>: ${answer.label}${answer.etaAt && html`, there at ${time(answer.etaAt)}`}${answer.note && html`<br><q>${answer.note}</q>`}</div>
    <span class="soft small">${wayName(answer.way)}, ${time(answer.at)}</span></li>`;

/** What "in doubt" means under each promise. */
const DOUBT: Record<MessageClass, string> = {
  life: 'The carrier did not say whether it took these. They are sent again, so these people may get it twice.',
  ops: 'The carrier did not say whether it took these. We look for proof and send once more; what is still unclear then stays listed here.',
  bulk: 'The carrier did not say whether it took these. They may or may not have it. By its promise this message is never sent twice, so they are left as they are.',
};

function whatBecame(delivery: DeliveryView): Part {
  const doubt = doubtLine(delivery);
  if (doubt) return html`${CHANNEL_NAMES[delivery.channel]}, ${doubt}`;
  if (isAboutRecipient(delivery.code)) return codeName(delivery.code);
  return html`${CHANNEL_NAMES[delivery.channel]}${delivery.code && `: ${codeName(delivery.code)}`}`;
}

const deliveryItem = (delivery: DeliveryView): Html =>
  html`<li class="item"><div><a class="title" href="/people/${delivery.recipientId}">${delivery.name ?? 'Unnamed'}</a><br><span class="soft small">${whatBecame(delivery)}</span></div>${deliveryTag(delivery.state)}</li>`;

/** If each person gets one call, a failed one means a person without the message. If they get more, it need not. */
const failedMeaning = ({ plan, class: kind }: MessageView): string =>
  plan.length === 1 && (plan[0]?.mode === 'first' || plan[0]?.channels.length === 1)
    ? // Many failed deliveries of a campaign are people who did not agree to it.
      `These people did not get the message.${kind === 'bulk' ? '' : ' Reach them another way.'}`
    : 'Deliveries that failed for good. A person listed here may have it on another channel.';

function deliveriesCard(message: MessageView, kind: 'doubt' | 'failed', list: readonly DeliveryView[]): Part {
  const states: DeliveryState[] = kind === 'failed' ? ['failed'] : ['unknown', 'unresolved'];
  const n = sum(message.deliveries, states);
  if (n === 0) return '';
  const title = kind === 'failed' ? 'Not reached' : 'In doubt';
  return html`<section class="card stack" aria-labelledby="${kind}-title">
    <h2 id="${kind}-title">${title}: ${number(n)}</h2>
    ${kind === 'doubt' ? html`<p>${DOUBT[message.class]}</p>` : html`<p class="soft">${failedMeaning(message)}</p>`}
    <ul class="list">${list.map(deliveryItem)}</ul>
    <div class="row">${states.filter((state) => message.deliveries[state] > 0).map((state) => html`<a href="/messages/${message.id}/deliveries?state=${state}">See all (${DELIVERY_STATE_NAMES[state].toLowerCase()})</a> <a href="/messages/${message.id}/deliveries.csv?state=${state}">CSV</a>`)}</div>
  </section>`;
}

/** Everything on the board that moves. `now` is the time of the chart in milliseconds. */
export function liveRegion(data: BoardData, csrfToken: string, now: number): Html {
  const { message } = data;
  return html`<div id="tick" hidden data-at="${now}" data-sent="${handedOver(message.deliveries)}" data-answered="${answered(message)}"></div>
    ${inboundList(data.inbound, csrfToken, `/messages/${message.id}`)}
    ${figures(message, data.waits)} ${answersCard(data)} ${deliveriesCard(message, 'doubt', data.doubt)} ${paceCard(message)} ${deliveriesCard(message, 'failed', data.failed)} ${unreadCard(message)} ${spreadCard(message, data.spread)}`;
}
