import react from '@vitejs/plugin-react';
import { defineConfig } from 'vitest/config';

const api = process.env.DISCERN_WEB_URL ?? 'http://127.0.0.1:8000';

export default defineConfig({
  plugins: [react()],
  // The web server writes a fresh nonce here in every response; see discern.web.console.
  html: { cspNonce: '__CSP_NONCE__' },
  build: {
    outDir: '../src/discern/web/console_dist',
    emptyOutDir: true,
    target: 'es2022',
    reportCompressedSize: true,
    chunkSizeWarningLimit: 450,
    modulePreload: { polyfill: false },
    // A file inlined as data: would need a wider content security policy for fonts.
    assetsInlineLimit: 0,
  },
  server: { proxy: { '/api': api, '/static': api, '/health': api } },
  test: { environment: 'node', include: ['src/**/*.test.ts', 'src/**/*.test.tsx'] },
});
