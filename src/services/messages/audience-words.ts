import { sql } from 'kysely';
import { type Context, inTenant } from '#services/context.ts';

/** People who are looked at for suggestions: reading all of them would cost a second with a million. */
const SAMPLE = 20_000;

/** Tags, skills and locales in use, the most frequent first. They are suggestions for the composer, not a complete list. */
export async function audienceWords(ctx: Context): Promise<{ tags: string[]; skills: string[]; locales: string[]; defaultLocale: string }> {
  return inTenant(ctx, async (tx) => {
    const { rows } = await sql<{ kind: string; word: string }>`
      WITH sample AS MATERIALIZED (
        SELECT tags, skills, locale FROM recipients
        WHERE tenant_id = ${ctx.tenantId} AND erased_at IS NULL
        ORDER BY id DESC LIMIT ${SAMPLE}
      ), words AS (
        SELECT 'tag' AS kind, unnest(tags) AS word FROM sample
        UNION ALL SELECT 'skill', unnest(skills) FROM sample
        UNION ALL SELECT 'locale', locale FROM sample WHERE locale IS NOT NULL
      )
      SELECT kind, word FROM words
      GROUP BY kind, word
      ORDER BY kind, count(*) DESC, word
      LIMIT 300`.execute(tx);
    const tenant = await tx.selectFrom('tenants').select('default_locale').where('tenant_id', '=', ctx.tenantId).executeTakeFirstOrThrow();
    const of = (kind: string): string[] => rows.filter((row) => row.kind === kind).map((row) => row.word);
    return {
      tags: of('tag').slice(0, 60),
      skills: of('skill').slice(0, 60),
      locales: of('locale').slice(0, 20),
      defaultLocale: tenant.default_locale,
    };
  });
}
