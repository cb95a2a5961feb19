import { runOrganisations } from '#organisations/command.ts';
import type { OrganisationsIo } from '#organisations/io.ts';
import { PASSWORD } from './secrets.ts';

export interface Ran {
  code: number;
  out: string;
  err: string;
}

/** `npm run organisations` against this database, with no terminal and PASSWORD on standard input unless told. */
export const organisationsOf =
  (deps: () => { readonly databaseUrl: string }) =>
  async (argv: string[], change: Partial<OrganisationsIo> = {}): Promise<Ran> => {
    const ran: Ran = { code: -1, out: '', err: '' };
    ran.code = await runOrganisations(argv, {
      env: { DATABASE_URL: deps().databaseUrl },
      out: (words) => {
        ran.out += words;
      },
      err: (words) => {
        ran.err += words;
      },
      readStdin: () => Promise.resolve(`${PASSWORD}\n`),
      askSecret: () => Promise.resolve(undefined),
      ...change,
    });
    return ran;
  };

let made = 0;

/** Creates an organisation with a name and an administrator that no other test has. */
export async function newOrganisation(organisations: ReturnType<typeof organisationsOf>, ...flags: string[]) {
  made += 1;
  const [name, email] = [`Relief ${made}`, `admin-${made}@relief.example`];
  const { code, out, err } = await organisations(['create', '--name', name, '--admin-email', email, '--password-stdin', '--json', ...flags]);
  if (code !== 0 || err !== '') throw new Error(`create ended with ${code}: ${err}`);
  return { ...(JSON.parse(out) as { id: number; apiKey: string }), name, email };
}
