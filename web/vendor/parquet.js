// Reads the Parquet files behind the links, in the browser.
import { decompress } from "fzstd";
import { parquetReadObjects, parquetMetadata, parquetRead } from "hyparquet";

export { parquetMetadata, parquetRead, parquetReadObjects };
export const compressors = { ZSTD: (input, length) => decompress(input, new Uint8Array(length)) };
