import { addressFacts, type Channel, CHANNELS } from '#schemas/channel-facts.ts';
import { MESSAGE_CLASSES, type MessageClass } from '#schemas/delivery.ts';
import { addSender, changeSenderRate } from '#services/organisations/add-sender.ts';
import { createOrganisation } from '#services/organisations/create-organisation.ts';
import { listOrganisations } from '#services/organisations/list-organisations.ts';
import { listSenders, type SenderView } from '#services/organisations/senders.ts';
import { setOperator } from '#services/access/set-operator.ts';
import { contextOf, given, oneOf, passwordOf, text, UsageError, type Verb, type Work, yes } from './io.ts';
import { PEOPLE_VERBS } from './users.ts';

export const VERBS: Readonly<Record<string, Verb>> = {
  create: {
    options: {
      name: text,
      'admin-email': text,
      'admin-name': text,
      'time-zone': text,
      locale: text,
      country: text,
      operator: yes,
      'password-stdin': yes,
    },
    needs: ['name', 'admin-email'],
    run: create,
  },
  list: { options: {}, needs: [], run: list },
  operator: { options: { email: text, revoke: yes }, needs: ['email'], run: operator },
  senders: { options: { organisation: text }, needs: ['organisation'], run: senders },
  sender: {
    options: { organisation: text, channel: text, name: text, address: text, classes: text, rate: text, account: text, drill: yes, simulated: yes },
    needs: ['organisation', 'channel', 'name'],
    run: sender,
  },
  rate: { options: { organisation: text, sender: text, rate: text }, needs: ['organisation', 'sender', 'rate'], run: rate },
  ...PEOPLE_VERBS,
};

async function create({ db, io, values, print }: Work): Promise<void> {
  const email = given(values, 'admin-email') ?? '';
  const name = given(values, 'name') ?? '';
  const made = await createOrganisation(
    { db },
    {
      name,
      admin: { email, name: given(values, 'admin-name') ?? 'Administrator', password: await passwordOf({ io, values }, email) },
      timeZone: given(values, 'time-zone'),
      locale: given(values, 'locale'),
      country: given(values, 'country'),
      operator: values['operator'] === true,
    },
  );
  print(
    { id: made.tenantId, apiKey: made.apiKey },
    `organisation ${made.tenantId}: ${name}\nadministrator: ${email}${values['operator'] === true ? ', operator' : ''}\nAPI key, shown this once: ${made.apiKey}\n`,
  );
}

async function list({ db, print }: Work): Promise<void> {
  const all = await listOrganisations({ db });
  const lines = all.map((one) => {
    const operators = one.operators.length > 0 ? `  operators: ${one.operators.join(', ')}` : '';
    return `${String(one.id).padStart(5)}  ${one.name.padEnd(32)}  ${one.people} signing in, ${one.senders} senders${operators}\n`;
  });
  print(all, lines.join('') || 'no organisation yet: npm run organisations -- create --help\n');
}

async function operator({ db, values, print }: Work): Promise<void> {
  const email = given(values, 'email') ?? '';
  const named = values['revoke'] !== true;
  const { tenantId, changed } = await setOperator({ db }, email, named);
  print({ email, organisation: tenantId, operator: named, changed }, `${email}: ${named ? 'operator' : 'no operator'}${changed ? '' : ', as before'}\n`);
}

const senderLine = (one: SenderView): string =>
  [
    one.id,
    one.channel.padEnd(5),
    `account ${one.account}`,
    (one.unitsPerSecond === null ? 'no rate' : `${one.unitsPerSecond}/s`).padEnd(8),
    one.classes.join(',').padEnd(13),
    `${one.name}${one.address === '' ? '' : `  ${one.address}`}`,
    ...(one.drill ? ['drills'] : []),
    ...(one.stoppedAt === null ? [] : [`stopped: ${one.stoppedReason ?? ''}`]),
    ...(one.failing === null ? [] : [`its provider fails: ${one.failing.code ?? ''}`]),
  ].join('  ');

async function senders({ db, values, print }: Work): Promise<void> {
  const all = await listSenders(await contextOf(db, values));
  print(all, all.map((one) => `${senderLine(one)}\n`).join('') || 'no sender yet: npm run organisations -- sender --help\n');
}

async function sender({ db, values, print }: Work): Promise<void> {
  const channel = oneOf<Channel>('channel', given(values, 'channel') ?? '', CHANNELS);
  if (addressFacts(channel).sender !== 'none' && given(values, 'address') === undefined)
    throw new UsageError(`--address is missing: where ${channel} messages come from`);
  const rateGiven = given(values, 'rate');
  const ctx = await contextOf(db, values);
  const { id } = await addSender(ctx, {
    channel,
    name: given(values, 'name') ?? '',
    address: given(values, 'address') ?? '',
    classes: [
      ...new Set(
        (given(values, 'classes') ?? MESSAGE_CLASSES.join(',')).split(',').map((word) => oneOf<MessageClass>('classes', word.trim(), MESSAGE_CLASSES)),
      ),
    ],
    drill: values['drill'] === true,
    simulated: values['simulated'] === true,
    account: accountOf(given(values, 'account') ?? '1'),
    unitsPerSecond: rateGiven === undefined ? null : rateOf(rateGiven),
  });
  print({ id, organisation: ctx.tenantId }, `${id}: added\n`);
}

async function rate({ db, values, print }: Work): Promise<void> {
  const wanted = rateOf(given(values, 'rate') ?? '');
  const { id } = await changeSenderRate(await contextOf(db, values), given(values, 'sender') ?? '', wanted);
  print({ id, unitsPerSecond: wanted }, `${id}: ${wanted === null ? 'no rate' : `${wanted}/s`}\n`);
}

function accountOf(value: string): number {
  if (!/^\d{1,2}$/.test(value)) throw new UsageError(`--account: must be the number of an account, not "${value}"`);
  return Number(value);
}

function rateOf(value: string): number | null {
  if (value === 'none') return null;
  if (!/^\d+(\.\d+)?$/.test(value)) throw new UsageError(`--rate: must be a number a second such as 3 or 0.5, or none, not "${value}"`);
  return Number(value);
}
