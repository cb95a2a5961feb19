import { html } from 'hono/html';
import { formatDuration } from '#platform/duration.ts';
import type { Audience } from '#schemas/audience.ts';
import type { ReturnReason } from '#schemas/delivery.ts';
import type { PlanStep } from '#schemas/message.ts';
import type { MessageView, PreviewView } from '#schemas/views.ts';
import type { ApprovalState } from '#services/messages/approval-state.ts';
import type { SampleView } from '#services/messages/render-sample.ts';
import { CHANNEL_NAMES, CLASS_NAMES, CLASS_PROMISES, languageName, number, people, plural, textsOf } from '#web/console/shell/format.ts';
import { channelList, csrf, drillTag, type Html, type Part, stateTag, time } from '#web/console/shell/parts.ts';
import { reachSummary, sampleView } from './preview-view.ts';

/** The name of a message in lists and titles. */
export function messageTitle(message: MessageView): string {
  const text = message.title ?? message.text[message.fallbackLocale] ?? Object.values(message.text)[0] ?? '';
  return text.length > 90 ? `${text.slice(0, 89).trimEnd()}…` : text;
}

const KINDS = { original: '', correction: 'Correction', all_clear: 'All clear', join: 'For those who joined' } as const;

export const messageTags = (message: MessageView): Html =>
  html`<div class="row">${stateTag(message.state)}${drillTag(message.drill)}<span class="tag">${CLASS_NAMES[message.class]}</span>${message.kind !== 'original' && html`<span class="tag info">${KINDS[message.kind]}</span>`}</div>`;

/** Says an audience expression in words. */
export function audienceText(audience: Audience): string {
  if ('all' in audience) return 'everybody';
  if ('tags' in audience) return `tag ${audience.tags.join(' or ')}`;
  if ('skills' in audience) return `skill ${audience.skills.join(' or ')}`;
  if ('ids' in audience) return people(audience.ids.length).replace(/^/, 'a list of ');
  if ('within' in audience) return 'inside a drawn area';
  if ('near' in audience) return `within ${number(audience.near.km)} km of ${audience.near.lat}, ${audience.near.lon}`;
  if ('and' in audience) return audience.and.map(audienceText).join(' and ');
  if ('or' in audience) return `(${audience.or.map(audienceText).join(' or ')})`;
  return `not (${audienceText(audience.not)})`;
}

const SELECTS: Record<PlanStep['to'], string> = { all: 'everybody', not_answered: 'who has not answered', not_reached: 'who was not reached' };

export function planText(step: PlanStep, first: boolean): string {
  const when = step.afterSeconds === 0 ? (first ? 'At once' : 'Also at once') : `After ${formatDuration(step.afterSeconds)}`;
  const how = step.channels.length === 1 ? '' : step.mode === 'parallel' ? ' (on all of these)' : ' (the first that reaches the person)';
  return `${when}: ${channelList(step.channels, CHANNEL_NAMES)}${how}${first ? '' : `, to ${SELECTS[step.to]}`}`;
}

/** Shows everything about a message that does not move. */
export function factsCard(message: MessageView, withText = true): Html {
  const { times } = message;
  return html`<section class="card stack" aria-labelledby="facts-title"><h2 id="facts-title">The message</h2>
    ${withText && textsOf(message).map(([locale, text], _, all) => html`<div class="stack tight">${all.length > 1 && html`<h3>${languageName(locale)}</h3>`}<div class="bubble" lang="${locale}" dir="auto">${text}</div></div>`)}
    <ul class="list small">
      <li><b>To:</b> ${audienceText(message.audience.expression)}</li>
      <li><b>How:</b> ${message.plan.map((step, i) => html`${i > 0 && html`<br>`}${planText(step, i === 0)}`)}</li>
      <li><b>Answers:</b> ${message.answerOptions.length > 0 ? message.answerOptions.map((option) => `${option.key} ${option.label}`).join(', ') : 'none to choose from; on the page people can say that they have read it'}</li>
      <li><b>Promise:</b> ${CLASS_PROMISES[message.class]}</li>
      ${times.launchedAt && html`<li><b>Launched:</b> ${time(times.launchedAt)}</li>`}
      ${times.startAt && !times.launchedAt && html`<li><b>Starts:</b> ${time(times.startAt)}</li>`}
      ${times.expiresAt && html`<li><b>Ends:</b> ${time(times.expiresAt)}</li>`}
      ${times.stoppedAt && html`<li><b>Stopped:</b> ${time(times.stoppedAt)}${message.stoppedBy?.startsWith('guard:') && html`, by a safety check: it was changed after its launch (${message.stoppedBy.slice(6)})`}</li>`}
      ${message.minutesToCorrection !== null && html`<li><b>${message.followsId ? 'After the first message' : 'Corrected after'}:</b> ${plural(Math.round(message.minutesToCorrection), 'minute')}</li>`}
      ${message.followsId && html`<li><a href="/messages/${message.followsId}">The message that this follows</a></li>`}
    </ul></section>`;
}

export interface DraftView {
  message: MessageView;
  preview: PreviewView | undefined;
  samples: readonly SampleView[];
  csrfToken: string;
  canSend: boolean;
  approval: ApprovalState;
  isAuthor: boolean;
  notice: Part;
  /** The boxes that must be ticked before the message goes; see ask-view.ts. */
  asks: Part;
  /** The time in milliseconds. */
  now: number;
}

function approveForm({ message, approval, isAuthor, asks }: DraftView, count: number, hidden: Part): Html {
  const why =
    approval.rule?.rule === 'doubling'
      ? `more than ${number(approval.rule.limit)}, twice the largest message so far`
      : 'more than one person alone may decide for this kind of message';
  return html`<form class="card stack" method="post" action="/messages/${message.id}/approve">${hidden}<h2>A second person must approve</h2>
    <p>It is for ${people(count)}, ${why}.</p>
    ${
      isAuthor
        ? html`<p class="note">You wrote it, so you cannot approve it. Ask a colleague to open this page: <span class="mono">/messages/${message.id}</span></p>`
        : html`${asks}<div><button class="btn main big wide">Approve for ${people(count)}</button></div>`
    }</form>`;
}

/** The number of those who match and have an address that may be used. */
const reachedOf = (preview: PreviewView): number => preview.count - preview.unreachable - preview.suppressed;

/** Says what the button does, and when. A start that has passed by now means at once. */
function launchLabels({ message, preview, now }: DraftView): { said: Part; button: string } {
  const reached = preview ? reachedOf(preview) : 0;
  const whom = people(reached);
  const rest = (preview?.count ?? 0) - reached;
  const others = rest > 0 && html` Nothing reaches the other ${number(rest)} who match.`;
  const { startAt } = message.times;
  const later = startAt !== null && Date.parse(startAt) > now;
  const when = later ? html` It starts <b>${time(startAt)}</b>; until then you can stop it.` : '';
  return message.drill
    ? {
        said: html`<p class="note drill">This is an <b>exercise</b>. ${whom} get it, marked EXERCISE, from the exercise senders.${others}${when}</p>`,
        button: `${later ? 'Schedule' : 'Start'} the exercise with ${whom}`,
      }
    : {
        said: html`<p class="note bad">This is <b>real</b>. ${whom} get it.${others}${later ? when : ' What a carrier has taken cannot be called back.'}</p>`,
        button: later ? `Schedule for ${whom}` : `Send to ${whom}`,
      };
}

function launchForm(view: DraftView): Part {
  const { message, preview, csrfToken, canSend, approval } = view;
  if (!preview) return '';
  if (!canSend) return html`<p class="note">Your role can look at this message but not send it.</p>`;
  if (preview.count === 0) return html`<p class="note warn">Nobody matches this audience, so there is nobody to send to.</p>`;
  if (reachedOf(preview) === 0) return html`<p class="note warn">None of these people can be reached on these channels, so there is nothing to send.</p>`;
  const hidden = html`${csrf(csrfToken)}<input type="hidden" name="audienceHash" value="${preview.hash}"><input type="hidden" name="count" value="${preview.count}">`;
  if (approval.state === 'needed') return approveForm(view, preview.count, hidden);
  const { said, button } = launchLabels(view);
  return html`
    <form class="card stack" method="post" action="/messages/${message.id}/launch" aria-labelledby="launch-title">${hidden}
      <h2 id="launch-title">${message.drill ? 'Run this exercise' : 'Send this for real'}</h2>
      ${said}${view.asks}${!message.drill && html`<label class="check" for="sure"><input type="checkbox" id="sure" name="sure" value="yes"> <span>I have read the text, and these are the right people.</span></label>`}
      <div><button class="btn big wide ${message.drill ? 'drill' : 'danger'}">${button}</button></div>
    </form>`;
}

const RETURNED: Record<ReturnReason, string> = {
  missed_start: 'Its start was missed by more than 15 minutes, so it was not sent.',
  audience_changed: 'At its start the people were no longer those that were decided upon, so it was not sent.',
  empty_audience: 'At its start nobody matched any more, so it was not sent.',
};

/** The page of a draft: whom it reaches, how it looks, and the button to send it. On a phone they stand below each other in this order. */
export function draftBody(view: DraftView): Html {
  const { message, preview, samples } = view;
  return html`<div class="stack tight"><p class="crumb"><a href="/messages">Messages</a></p>
      <div class="head"><h1>${messageTitle(message)}</h1><div class="row"><a class="btn" href="/messages/${message.id}/edit">Change it</a><a class="btn plain" href="/messages/new?from=${message.id}">Copy to a new message</a></div></div>${messageTags(message)}</div>
    ${view.notice}${message.returned && html`<p class="note warn"><b>${RETURNED[message.returned]}</b> Look at it again and decide.</p>`}
    <div class="split">
      <section class="card stack" aria-labelledby="reach-title"><h2 id="reach-title">Whom it reaches now</h2>${preview ? reachSummary(preview, message.plan.length) : html`<p>The audience cannot be counted right now.</p>`}</section>
      <div class="stack aside">
        ${samples.length > 0 && html`<section class="card stack" aria-labelledby="look-title"><h2 id="look-title">How it looks</h2>${samples.map((sample) => sampleView(sample, samples.length > 1))}</section>`}
        ${factsCard(message, samples.length === 0)}
      </div>
      <div class="stack below">${launchForm(view)}</div>
    </div>`;
}

/** Shows what can be done with a message that was launched, which changes with its state. */
export function actionsCard(message: MessageView, canSend: boolean): Part {
  if (!canSend) return html`<a class="btn wide" href="/messages/${message.id}">Reload</a>`;
  const open = message.state === 'live' || message.state === 'scheduled';
  const sent = message.times.launchedAt !== null;
  return html`${open && html`<a class="btn stop wide" href="/messages/${message.id}/stop">■ Stop this message</a>`}
    ${sent && html`<a class="btn wide" href="/messages/${message.id}/correct?kind=correction">Send a correction</a><a class="btn wide" href="/messages/${message.id}/correct?kind=all_clear">Send the all clear</a>`}
    ${missedSome(message) && html`<a class="btn wide" href="/messages/new?from=${message.id}&amp;to=missed">Write to those it did not reach</a>`}
    <a class="btn plain" href="/messages/new?from=${message.id}">Copy to a new message</a>`;
}

/** Whether no more calls will be made and some failed or were not made. A person counted here may have the message on another channel. */
function missedSome({ kind, state, deliveries }: MessageView): boolean {
  const over = kind === 'original' && state !== 'live' && deliveries.pending + deliveries.attempting === 0;
  return over && deliveries.failed + deliveries.cancelled + deliveries.expired > 0;
}

/** The page of a launched message. `live` is its moving part: receipts and answers still come in long after the last call. */
export function boardBody(message: MessageView, live: Part, canSend: boolean, notice: Part): Html {
  return html`<div class="stack tight"><p class="crumb"><a href="/messages">Messages</a></p><h1>${messageTitle(message)}</h1><div id="tags">${messageTags(message)}</div></div>
    <div class="row" id="actions">${actionsCard(message, canSend)}</div>
    ${notice}
    <p class="note warn" id="connection" hidden role="status">The live connection is lost; the numbers below may be old. Trying again.</p>
    <p class="hide" role="status" id="spoken"></p>
    <div class="split">
      <div class="stack" id="live" hx-sse:connect="/messages/${message.id}/stream" hx-swap="innerMorph">${live}</div>
      <div class="stack">
        <section class="card stack tight" id="chart-card" hidden aria-labelledby="chart-title"><h2 id="chart-title">Speed</h2><p class="soft small">Since you opened this page, as the mean of three seconds.</p><div id="chart"></div></section>
        ${factsCard(message)}
      </div>
    </div>`;
}
