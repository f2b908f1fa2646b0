import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Plugin } from 'vite';

const fileName = 'third-party-licenses.txt';

/** licenses writes the licenses of the libraries that are in the bundle to a file beside it. */
export function licenses(): Plugin {
  return {
    name: 'third-party-licenses',
    apply: 'build',
    generateBundle(_, bundle) {
      const packages = new Set<string>();
      for (const part of Object.values(bundle)) {
        if (part.type !== 'chunk') continue;
        for (const id of Object.keys(part.modules)) {
          const at = packageOf(id);
          if (at) packages.add(at);
        }
      }
      const texts = [...packages].map(describe).sort();
      this.emitFile({ type: 'asset', fileName, source: [head, ...texts].join(rule) + '\n' });
    },
  };
}

const head = 'The web console of OpenECP contains these libraries.';
const rule = `\n\n${'-'.repeat(80)}\n\n`;

/** packageOf is the folder of the package that a module belongs to; styles are modules, too, with a query behind. */
function packageOf(id: string): string | undefined {
  const found = /^(.*\/node_modules\/(?:@[^/]+\/)?[^/]+)\//.exec(id.replace(/^\0/, ''));
  return found?.[1];
}

function describe(folder: string): string {
  const p = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8')) as { name: string; version: string; license?: string };
  const file = readdirSync(folder).find((f) => /^(licen[cs]e|copying)/i.test(f));
  if (!p.license || !file || !existsSync(join(folder, file))) throw new Error(`${p.name} does not say its license`);
  return `${p.name} ${p.version} (${p.license})\n\n${readFileSync(join(folder, file), 'utf8').trim()}`;
}
