import { z } from 'zod';

const share = z.number().min(0).max(1);
const seconds = z.number().min(0).max(86_400);
const milliseconds = z.int().min(0).max(600_000);

/** What may go wrong on one channel. Shares are drawn in this order: rate, refusal, error, cut, silence. */
const faults = {
  /** Time before the answer. */
  latencyMs: milliseconds,
  /** Up to this much is added, evenly drawn. */
  latencyJitterMs: milliseconds,
  /** Units (segments for SMS) in any window of one second; further calls are answered 429 or 421. null sets no limit. */
  perSecond: z.number().positive().nullable(),
  /** Whether the limit holds for each sender or for the channel as a whole. */
  per: z.enum(['sender', 'channel']),
  /** Retry-After of a 429; null sends none. */
  retryAfterSeconds: z.int().min(0).max(3600).nullable(),
  /** Share of addresses that are refused; the same address is refused every time. */
  refusedShare: share,
  /** Share of calls that are answered 5xx; mail is answered 451 after the final dot. */
  errorShare: share,
  errorStatus: z.int().min(500).max(599),
  /** Share of calls whose connection is cut once the body has arrived. */
  cutShare: share,
  /** Share of calls that are taken and never answered. */
  silentShare: share,
  /** Share of errors and cuts whose message was taken all the same, so that the person gets it. */
  takenShare: share,
};

const smsSchema = z.strictObject({
  ...faults,
  /** Twilio error codes to draw from, such as 21211 or 21610. */
  refusedCodes: z.array(z.int().min(10_000).max(99_999)).min(1),
  /** STOP and START are obeyed by the carrier too, as Twilio does for long codes: then sends end with 21610. */
  optOut: z.boolean(),
  receipts: z.strictObject({
    /** Median time to the final receipt; `sent` comes in the first tenth of it. */
    delaySeconds: seconds,
    /** 0 makes every delay the median; with 1 a third of them are later than 1.6 times the median. */
    spread: z.number().min(0).max(3),
    undeliveredShare: share,
    failedShare: share,
    /** Share of messages for which no final receipt ever comes, as with some carriers. */
    lostShare: share,
    /** ErrorCode of undelivered and failed. */
    errorCodes: z.array(z.int().min(10_000).max(99_999)).min(1),
    /** How often each receipt is posted. */
    repeat: z.int().min(1).max(20),
    /** Share of messages whose receipts all arrive before the 201 is answered. */
    earlyShare: share,
    order: z.enum(['natural', 'reversed', 'shuffled']),
  }),
});

const pushSchema = z.strictObject({
  ...faults,
  /** HTTP statuses to draw from. 404 and 410 mean that the subscription is gone, 413 too big, 403 wrong key. */
  refusedCodes: z.array(z.int().min(400).max(499)).min(1),
  /** Time until the browser shows what was accepted. */
  displaySeconds: seconds,
  /** Share of shown messages whose service worker reports it to the address in the payload's `data.beacon`. */
  beaconShare: share,
});

const emailSchema = z.strictObject({
  ...faults,
  /** Reply to RCPT TO: code, enhanced code, text. */
  refusedCodes: z.array(z.string().regex(/^[45]\d\d [45]\.\d{1,3}\.\d{1,3} [\x20-\x7e]+$/, 'must look like 550 5.1.1 No such mailbox')).min(1),
  /** Time from acceptance to the bounce mail of those who bounce. */
  bounceDelaySeconds: seconds,
});

const crowdSchema = z.strictObject({
  /** Share of people who answer at all. */
  answerShare: share,
  delay: z.strictObject({ medianSeconds: seconds, spread: z.number().min(0).max(3), maxSeconds: seconds }),
  /** Weights by answer key, or by position ("1" is the first button). All answers are alike where this is empty. */
  choices: z.record(z.string().max(40), z.number().min(0)),
  /** Share of those with an SMS who reply by text instead of opening the page. */
  bySmsShare: share,
  /** Share of those with a push who tap a button of the notification instead of opening the page. */
  byActionShare: share,
  /** Share of those who answered who pass the link on. */
  shareShare: share,
  /** How many people open a link that was passed on, at most; the number is evenly drawn from 1. */
  visitsPerShare: z.int().min(1).max(50),
  /** Share of those visitors who join. */
  joinShare: share,
  /** Share of the joiners who join by text message where the page offers it. */
  joinBySmsShare: share,
  /** Share of the joiners who join by push where the page offers it. */
  joinByPushShare: share,
  /** How many people join at most, so that a spreading message comes to an end. */
  maxGuests: z.int().min(0).max(1_000_000),
  /** Share of people who send STOP (SMS) or unsubscribe (e-mail). */
  stopShare: share,
  /** Share of e-mail addresses that bounce after acceptance. */
  bounceShare: share,
});

const robotsSchema = z.strictObject({
  /** Share of messages whose links a preview robot opens (HEAD, then GET). */
  share,
  withinSeconds: seconds,
  /** True when robots follow the links of the pages too, hidden ones included. */
  deep: z.boolean(),
});

/** What one address does, whatever the shares say. */
const overrideSchema = z.strictObject({
  fate: z.enum(['taken', 'refused', 'throttled', 'error', 'cut', 'silent']).optional(),
  /** Code of a refusal, as in `refusedCodes` of the channel. */
  code: z.union([z.string(), z.number()]).optional(),
  receipt: z.enum(['delivered', 'undelivered', 'failed', 'none']).optional(),
  bounces: z.boolean().optional(),
  /** An answer key, or false for a person who never answers. */
  answer: z.union([z.string(), z.literal(false)]).optional(),
});

export const behaviourSchema = z.strictObject({
  seed: z.int().min(0).max(0xffff_ffff),
  sms: smsSchema,
  push: pushSchema,
  email: emailSchema,
  crowd: crowdSchema,
  robots: robotsSchema,
  /** The second account, whose SMS and mail relay fail by themselves. */
  second: z.strictObject({ sms: smsSchema, email: emailSchema }),
  /** What single addresses do, by phone number, mail address (lower case) or push subscription id. */
  addresses: z.record(z.string().max(320), overrideSchema),
});
export type Behaviour = z.infer<typeof behaviourSchema>;
export type SimulatedChannel = 'sms' | 'push' | 'email';
export type Account = 1 | 2;

/** What is in force for SMS or mail of one account. */
export const smsOf = (behaviour: Behaviour, account: Account): Behaviour['sms'] => (account === 2 ? behaviour.second.sms : behaviour.sms);
export const emailOf = (behaviour: Behaviour, account: Account): Behaviour['email'] => (account === 2 ? behaviour.second.email : behaviour.email);

const smsChange = smsSchema.extend({ receipts: smsSchema.shape.receipts.partial() }).partial();
const emailChange = emailSchema.partial();

/** `POST /control`: any part of the behaviour; what is not named stays. */
export const changeSchema = z.strictObject({
  seed: behaviourSchema.shape.seed.optional(),
  sms: smsChange.optional(),
  push: pushSchema.partial().optional(),
  email: emailChange.optional(),
  crowd: crowdSchema.extend({ delay: crowdSchema.shape.delay.partial() }).partial().optional(),
  robots: robotsSchema.partial().optional(),
  second: z.strictObject({ sms: smsChange, email: emailChange }).partial().optional(),
  /** Addresses to add to those that are there; null takes one away. */
  addresses: z.record(z.string().max(320), overrideSchema.nullable()).optional(),
});
export type BehaviourChange = z.infer<typeof changeSchema>;

const noFaults = {
  latencyMs: 0,
  latencyJitterMs: 0,
  perSecond: null,
  per: 'sender' as const,
  retryAfterSeconds: 1,
  refusedShare: 0,
  errorShare: 0,
  errorStatus: 503,
  cutShare: 0,
  silentShare: 0,
  takenShare: 0,
};

const quietSms: Behaviour['sms'] = {
  ...noFaults,
  refusedCodes: [21211],
  optOut: true,
  receipts: {
    delaySeconds: 0,
    spread: 0,
    undeliveredShare: 0,
    failedShare: 0,
    lostShare: 0,
    errorCodes: [30003, 30005, 30006],
    repeat: 1,
    earlyShare: 0,
    order: 'natural',
  },
};
const quietEmail: Behaviour['email'] = { ...noFaults, refusedCodes: ['550 5.1.1 No such mailbox'], bounceDelaySeconds: 0 };

/** Carriers without a fault and people who do nothing, as every test starts. */
export const QUIET: Behaviour = {
  seed: 1,
  sms: quietSms,
  push: { ...noFaults, refusedCodes: [410], displaySeconds: 0, beaconShare: 0 },
  email: quietEmail,
  crowd: {
    answerShare: 0,
    delay: { medianSeconds: 20, spread: 0.8, maxSeconds: 120 },
    choices: { '1': 6, '2': 3, '3': 1 },
    bySmsShare: 0,
    byActionShare: 0,
    shareShare: 0,
    visitsPerShare: 3,
    joinShare: 0,
    joinBySmsShare: 0,
    joinByPushShare: 0,
    maxGuests: 1000,
    stopShare: 0,
    bounceShare: 0,
  },
  robots: { share: 0, withinSeconds: 2, deep: false },
  second: { sms: quietSms, email: quietEmail },
  addresses: {},
};

const LIVELY_SMS: BehaviourChange['sms'] = { latencyMs: 20, latencyJitterMs: 60, receipts: { delaySeconds: 2, spread: 0.6, undeliveredShare: 0.02 } };
const LIVELY_EMAIL: BehaviourChange['email'] = { latencyMs: 10, latencyJitterMs: 30, bounceDelaySeconds: 5 };

/** What a person who tries Muster meets: most people answer within two minutes, a few pass the message on, some mail bounces. */
export const LIVELY: BehaviourChange = {
  sms: LIVELY_SMS,
  push: { latencyMs: 10, latencyJitterMs: 30, displaySeconds: 1, beaconShare: 0.9 },
  email: LIVELY_EMAIL,
  second: { sms: LIVELY_SMS, email: LIVELY_EMAIL },
  crowd: {
    answerShare: 0.6,
    bySmsShare: 0.4,
    byActionShare: 0.5,
    shareShare: 0.12,
    joinShare: 0.3,
    joinBySmsShare: 0.3,
    joinByPushShare: 0.2,
    maxGuests: 200,
    stopShare: 0.005,
    bounceShare: 0.02,
  },
  robots: { share: 0.05 },
};

type Plain = Record<string, unknown>;
const isPlain = (value: unknown): value is Plain => typeof value === 'object' && value !== null && !Array.isArray(value);

/** Groups (sms, receipts, delay, ...) are merged field by field; lists, weights and single values are replaced. */
function merge(before: Plain, change: Plain): Plain {
  const after: Plain = { ...before };
  for (const [key, value] of Object.entries(change)) {
    const old = before[key];
    if (value === undefined) continue;
    after[key] = isPlain(old) && isPlain(value) && key !== 'choices' ? merge(old, value) : value;
  }
  return after;
}

/** @returns a new behaviour; the result is checked as a whole. */
export function changeBehaviour(before: Behaviour, change: BehaviourChange): Behaviour {
  const { addresses: changed = {}, ...rest } = change;
  const addresses = Object.fromEntries(
    Object.entries({ ...before.addresses, ...changed }).flatMap(([address, override]) => (override === null ? [] : [[address, override]])),
  );
  return behaviourSchema.parse({ ...merge(before, rest), addresses });
}
