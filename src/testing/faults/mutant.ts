/** One exact change of a source file. Its text must be found `times` times, else the table is out of date. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** How often the text must be found; 1 by default. */
  readonly times?: number;
}

/** A guard that is taken away, and the test that must notice. */
export interface Mutant {
  readonly guard: string;
  readonly removed: string;
  readonly changes: readonly Change[];
  readonly test: { readonly file: string; readonly name: string };
  /** True when the mutant is part of the short form too. */
  readonly short?: boolean;
}
