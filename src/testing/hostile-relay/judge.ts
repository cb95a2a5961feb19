import type { Outcome } from '#domain/delivery/outcome.ts';
import type { Ledger, Taken } from './ledger.ts';

/** What an adapter said of one mail. */
export interface Claim {
  readonly mail: string;
  readonly outcome: Outcome;
  readonly tookMs: number;
}

export interface Verdict {
  /** Claims that the ledger contradicts. */
  readonly wrong: string[];
  /** Mails of which the ledger tells exactly one right outcome, and it was that one. */
  readonly exact: number;
  /** Accepted or refused by words of a relay that were not meant for it, as nobody at the other end of a wire can know. */
  readonly misled: number;
  /** Given up after a time-out, although the relay left nobody without an answer. */
  readonly late: number;
}

const isYes = (code: number | undefined): boolean => code !== undefined && code >= 200 && code < 300;
const isNo = (code: number | undefined): boolean => code !== undefined && code >= 400 && code < 600;

/** What the outcome must be, where the relay was fair: undefined where it cannot be told. */
function expected(mail: string, ledger: Ledger, takings: readonly Taken[]): string | undefined {
  const [taken] = takings;
  const refused = ledger.refused.get(mail);
  if (taken) return isYes(taken.code) ? `accepted MAIL-${mail}` : `refused ${taken.code}`;
  return refused && `refused ${refused.text.trim().slice(0, 3)}`;
}

function said(outcome: Outcome): string {
  if (outcome.kind === 'accepted') return `accepted ${outcome.providerId ?? ''}`;
  return outcome.kind === 'unknown' || outcome.kind === 'not_called' ? outcome.kind : `refused ${outcome.code.slice(0, 3)}`;
}

function contradictions({ mail, outcome }: Claim, ledger: Ledger, takings: readonly Taken[]): string[] {
  const wrong: string[] = [];
  const heardBy = ({ connection, position }: Taken): number | undefined => ledger.connections[connection]?.codes[position];
  const isCountable = ({ connection }: Taken): boolean => ledger.connections[connection]?.countable === true;
  if (takings.length > 1) wrong.push(`mail ${mail} was taken ${takings.length} times for one send`);
  if (outcome.kind === 'accepted') {
    if (takings.length === 0 && ledger.connections.every(({ inPhase }) => inPhase)) wrong.push(`mail ${mail} is accepted and was never taken`);
    if (takings.length > 0 && !takings.some((one) => isYes(heardBy(one)) || !isCountable(one)))
      wrong.push(`mail ${mail} is accepted and no 2yz answered its dot`);
    if (outcome.providerId?.startsWith('MAIL-') && outcome.providerId !== `MAIL-${mail}`) wrong.push(`mail ${mail} is accepted as ${outcome.providerId}`);
  } else if (outcome.kind !== 'unknown') {
    const doubtful = takings.filter((one) => !isNo(heardBy(one)) && isCountable(one));
    if (doubtful.length > 0) wrong.push(`mail ${mail} is ${outcome.kind} (${outcome.code}) and was taken`);
    // Number 0 is nobody: said before any mail.
    const tag = / \d\.9\.(\d+)$/.exec(outcome.code)?.[1];
    if (tag !== undefined && tag !== '0' && tag !== mail && ledger.connections.every(({ inPhase }) => inPhase))
      wrong.push(`mail ${mail} is refused by the words for mail ${tag}`);
  }
  return wrong;
}

/** @param limitMs by when every send must have ended */
export function judge(claims: readonly Claim[], ledger: Ledger, limitMs: number): Verdict {
  const wrong = [...ledger.broken];
  let exact = 0;
  let misled = 0;
  const late = claims.filter(({ outcome }) => 'code' in outcome && outcome.code === 'DEADLINE').length;
  // A busy machine may well be late, and a connection that is given up takes other mails with it.
  const isClear = late === 0 && ledger.connections.every(({ fair }) => fair);
  for (const claim of claims) {
    const takings = ledger.taken.filter((one) => one.mail === claim.mail);
    wrong.push(...contradictions(claim, ledger, takings));
    if (claim.tookMs > limitMs) wrong.push(`mail ${claim.mail} took ${Math.round(claim.tookMs)} ms`);
    if (claim.outcome.kind !== 'unknown' && (claim.outcome.kind === 'accepted') !== takings.some(({ code }) => isYes(code))) {
      misled++;
      if (ledger.connections.every(({ inPhase }) => inPhase)) wrong.push(`mail ${claim.mail} is ${claim.outcome.kind} against what its relay meant`);
    }
    const right = isClear && claim.outcome.kind !== 'not_called' ? expected(claim.mail, ledger, takings) : undefined;
    if (right === undefined) continue;
    if (said(claim.outcome) === right) exact++;
    else wrong.push(`mail ${claim.mail} is ${JSON.stringify(claim.outcome)}, but ${right}`);
  }
  return { wrong, exact, misled, late: ledger.connections.some(({ stalled }) => stalled) ? 0 : late };
}
