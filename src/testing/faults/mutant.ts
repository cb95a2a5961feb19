/** One exact change of a source file. It must be found as often as said, else the table is out of date. */
export interface Change {
  readonly file: string;
  readonly from: string;
  readonly to: string;
  /** 1 unless told. */
  readonly times?: number;
}

/** A guard taken away, and the test that must notice. */
export interface Mutant {
  readonly guard: string;
  readonly removed: string;
  readonly changes: readonly Change[];
  readonly test: { readonly file: string; readonly name: string };
  /** Also in the short form. */
  readonly short?: boolean;
}
