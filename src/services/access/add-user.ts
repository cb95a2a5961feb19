import { Problem } from '#platform/errors.ts';
import { hashPassword } from '#platform/password.ts';
import type { UserRole } from '#schemas/delivery.ts';
import { appendAudit } from '#services/audit.ts';
import { type Context, inTenant } from '#services/context.ts';
import { type NewUser, readUser, takenEmail } from './user-fields.ts';

export interface AddUser extends NewUser {
  readonly role: UserRole;
}

/**
 * Adds somebody who signs in to the console of an organisation. They may approve what others wrote, unless their role is
 * `viewer`.
 * @throws Problem 422 that names every wrong field: `email` (`email_taken` where anybody of the installation has it), `name`,
 *   `password`
 */
export async function addUser(ctx: Pick<Context, 'db' | 'tenantId' | 'actor'>, input: AddUser): Promise<{ userId: string }> {
  const { email, name, errors } = readUser(input, { email: 'email', name: 'name' });
  if (errors.length > 0 || email === undefined) throw new Problem(422, 'invalid_person', 'Nobody was added.', { errors });
  const password = await hashPassword(input.password);
  try {
    return await inTenant(ctx, async (tx) => {
      const { id } = await tx
        .insertInto('users')
        .values({ tenant_id: ctx.tenantId, email, name, password_hash: password, role: input.role })
        .returning('id')
        .executeTakeFirstOrThrow();
      await appendAudit(tx, ctx, 'person.create', id, { role: input.role });
      return { userId: id };
    });
  } catch (error) {
    const taken = takenEmail(error, 'email', email);
    throw taken ? new Problem(422, 'invalid_person', 'Nobody was added.', { errors: [taken], cause: error }) : error;
  }
}
