import { runOrganisations } from '#organisations/command.ts';
import type { OrganisationsIo } from '#organisations/io.ts';

/** The password that `--password-stdin` is given. */
export const PASSWORD = 'correct horse battery staple';

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
