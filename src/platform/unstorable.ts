/**
 * True when PostgreSQL refused text for its characters: it takes neither U+0000 nor, in JSON, a lone surrogate, and only a
 * request can bring these. The codes (PostgreSQL Appendix A) are 22021 character_not_in_repertoire, 22P05
 * untranslatable_character, and 22P02, which PostgreSQL gives for JSON with half a surrogate pair.
 */
export function isUnstorable(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const { code } = error as { code?: unknown };
  return code === '22021' || code === '22P05' || (code === '22P02' && /type json/.test(error.message));
}
