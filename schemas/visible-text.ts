/** Characters that show nothing: format and filler characters (Unicode's default ignorables), and the empty Braille pattern. */
const UNSEEN = /[\p{Default_Ignorable_Code_Point}\u2800]/gu;

/** Whether a person sees anything of this text: a letter, digit, punctuation mark, symbol or emoji. */
export const isSeen = (text: string): boolean => /[\p{L}\p{N}\p{P}\p{S}]/u.test(text.replace(UNSEEN, ''));

/** Whether it holds a letter or a digit that a person sees: punctuation alone says nothing about who or where. */
export const saysSomething = (text: string): boolean => /[\p{L}\p{N}]/u.test(text.replace(UNSEEN, ''));
