import type { ColumnType } from 'kysely';

// bigint columns come back as strings (they are ids and opaque here); counts are cast in the query.
export type Id = string;
export type Time = ColumnType<Date, Date | string | undefined, Date | string>;
export type NullableTime = ColumnType<Date | null, Date | string | null | undefined, Date | string | null>;
export type Json<T> = ColumnType<T, string, string>;
