/** Version of the GNU C library that Node runs on, or undefined on musl and on other systems. */
export function glibcVersion(): string | undefined {
  const { header } = process.report.getReport() as { header: { glibcVersionRuntime?: string } };
  return header.glibcVersionRuntime;
}

/** `linux-x64`, `darwin-arm64`, `linux-x64-musl` ...: the name of a folder under prebuilds/. */
export function platformName(): string {
  const musl = process.platform === 'linux' && glibcVersion() === undefined;
  return `${process.platform}-${process.arch}${musl ? '-musl' : ''}`;
}
