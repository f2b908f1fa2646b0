import preact from '@preact/preset-vite';
import { defineConfig } from 'vite';
import { licenses } from './licenses.ts';

// ECPD names the daemon that `npm run dev` passes the API on to. TOKEN is an API token for daemons without sign-in.
const daemon = process.env['ECPD'] ?? 'http://127.0.0.1:18180';
const token = process.env['TOKEN'];

export default defineConfig(({ command }) => ({
  // Relative addresses let the console work behind any path prefix.
  base: command === 'serve' ? '/console/' : './',
  plugins: [preact(), licenses()],
  build: {
    target: 'es2022',
    modulePreload: { polyfill: false },
    assetsInlineLimit: 0,
    sourcemap: false,
  },
  server: {
    proxy: {
      '/api': { target: daemon, headers: token ? { authorization: `Bearer ${token}` } : {} },
    },
  },
}));
