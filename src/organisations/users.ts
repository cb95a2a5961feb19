import { USER_ROLES, type UserRole } from '#schemas/delivery.ts';
import { addUser } from '#services/access/add-user.ts';
import { findUser } from '#services/access/find-user.ts';
import { listUsers, type UserView } from '#services/access/list-users.ts';
import { setDisabled } from '#services/access/set-disabled.ts';
import { setPassword } from '#services/access/set-password.ts';
import { contextOf, given, oneOf, passwordOf, text, type Verb, type Work, yes } from './io.ts';

/** Who signs in to an organisation's console. */
export const PEOPLE_VERBS: Readonly<Record<string, Verb>> = {
  people: { options: { organisation: text }, needs: ['organisation'], run: people },
  person: {
    options: { organisation: text, email: text, name: text, role: text, 'password-stdin': yes },
    needs: ['organisation', 'email', 'name', 'role'],
    run: person,
  },
  password: { options: { email: text, 'password-stdin': yes }, needs: ['email'], run: password },
  disable: { options: { email: text }, needs: ['email'], run: (work) => disabled(work, true) },
  enable: { options: { email: text }, needs: ['email'], run: (work) => disabled(work, false) },
};

/** As wide as the longest address and name that are usual. */
const personLine = (one: UserView): string =>
  [
    one.email.padEnd(32),
    one.role.padEnd(11),
    one.name,
    ...(one.operator ? ['operator'] : []),
    ...(one.disabledAt === null ? [] : [`disabled ${one.disabledAt.slice(0, 10)}`]),
  ].join('  ');

async function people({ db, values, print }: Work): Promise<void> {
  const all = await listUsers(await contextOf(db, values));
  print(all, all.map((one) => `${personLine(one)}\n`).join('') || 'nobody yet: npm run organisations -- person --help\n');
}

async function person(work: Work): Promise<void> {
  const { db, values, print } = work;
  const role = oneOf<UserRole>('role', given(values, 'role') ?? '', USER_ROLES);
  const [email, name] = [given(values, 'email') ?? '', given(values, 'name') ?? ''];
  const ctx = await contextOf(db, values);
  const { userId } = await addUser(ctx, { email, name, role, password: await passwordOf(work, email) });
  print({ id: userId, organisation: ctx.tenantId, email, role }, `${email}: added as ${role}\n`);
}

const counted = (count: number, what: string): string => `${count} ${what}${count === 1 ? '' : 's'}`;

async function password(work: Work): Promise<void> {
  const { db, values, print } = work;
  const email = given(values, 'email') ?? '';
  // A slip in the address is told before anybody thinks of a password.
  await findUser({ db }, email);
  const { tenantId, sessionsEnded, disabled: still } = await setPassword({ db }, email, await passwordOf(work, email));
  print(
    { email, organisation: tenantId, sessionsEnded, disabled: still },
    `${email}: new password, ${counted(sessionsEnded, 'session')} ended${still ? '; still disabled' : ''}\n`,
  );
}

async function disabled({ db, values, print }: Work, wanted: boolean): Promise<void> {
  const email = given(values, 'email') ?? '';
  const { tenantId, changed, sessionsEnded, keys } = await setDisabled({ db }, email, wanted);
  const words = wanted
    ? `disabled, ${counted(sessionsEnded, 'session')} ended, ${counted(keys, 'API key')} stopped`
    : `enabled, ${counted(keys, 'API key')} in use again`;
  print({ email, organisation: tenantId, disabled: wanted, changed, sessionsEnded, keys }, `${email}: ${words}${changed ? '' : ', as before'}\n`);
}
