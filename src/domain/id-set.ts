/** A set of row numbers at one bit each: a million neighbours take 125 KB, where a Set of strings takes 60 MB. */
export class IdSet {
  readonly #pages = new Map<number, Uint32Array>();

  add(id: string): void {
    const n = Number(id);
    const number = Math.floor(n / 32_768);
    let page = this.#pages.get(number);
    if (!page) {
      page = new Uint32Array(1_024);
      this.#pages.set(number, page);
    }
    const bit = n % 32_768;
    page[bit >> 5] = (page[bit >> 5] ?? 0) | (1 << (bit & 31));
  }

  has(id: string): boolean {
    const n = Number(id);
    const bit = n % 32_768;
    return (((this.#pages.get(Math.floor(n / 32_768))?.[bit >> 5] ?? 0) >>> (bit & 31)) & 1) === 1;
  }
}
