/** A stream of text as lines, some at a time; knows nothing of what they say. */

/**
 * The lines of a stream without their ends (LF or CRLF), as many at once as a chunk completes.
 * Memory is that of a chunk and of the longest line.
 */
export async function* readLines(stream: NodeJS.ReadableStream): AsyncGenerator<readonly string[]> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of stream) {
    const lines = `${rest}${decoder.decode(chunk as Buffer, { stream: true })}`.split(/\r?\n/);
    rest = lines.pop() ?? '';
    yield lines;
  }
  rest += decoder.decode();
  if (rest !== '') yield [rest];
}
