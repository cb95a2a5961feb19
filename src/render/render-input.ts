import type { MessageClass } from '#schemas/delivery.ts';
import type { AnswerOption } from '#schemas/message.ts';
import type { Wording } from '#schemas/wording.ts';

/** A message as its rendering sees it, with nothing personal. */
export interface RenderInput {
  readonly class: MessageClass;
  readonly drill: boolean;
  readonly kind: 'original' | 'correction' | 'all_clear' | 'join';
  /** The repeat code, by which a person recognises a double, with or without `#`; '' for none. */
  readonly repeatCode: string;
  readonly title: string | null;
  /** Text per locale, with `{{name}}`, `{{first_name}}`, `{{link}}`. */
  readonly text: Readonly<Record<string, string>>;
  /** What it must say beside its text, per locale; null for nothing. */
  readonly said: Wording | null;
  readonly fallbackLocale: string;
  readonly answers: readonly AnswerOption[];
  readonly share: boolean;
  readonly tenantName: string;
  /** `https://host`. Mail says that its links begin with it, so that a forged link stands out. */
  readonly publicUrl: string;
  readonly expiresAt: Date | null;
  /** The IANA zone in which "valid until" is written; UTC where it is not given. */
  readonly timeZone?: string;
  readonly now: Date;
  /** Names the message at the push service. A correction has the key of the message that it follows, and so replaces it. */
  readonly topicKey: string;
}
