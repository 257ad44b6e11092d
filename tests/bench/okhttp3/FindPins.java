// In OkHttp's package, because findMatchingPins() is not public.
package okhttp3;

import java.util.Base64;
import java.util.Random;

/**
 * How long OkHttp looks for the pins of one host among N, in nanoseconds, and
 * how many bytes of heap a host takes.  Each host has two pins of its own, and
 * the one that is looked for stands in the middle.
 *
 * Usage: FindPins N ROUNDS SECONDS
 */
public final class FindPins {
	private static final int WARM_UP = 2;
	private static Object kept; // so that nothing is optimised away

	private static long heapInUse() {
		Runtime vm = Runtime.getRuntime();
		long least = Long.MAX_VALUE;

		for (int i = 0; i < 4; i++) {
			System.gc();
			least = Math.min(least,
			    vm.totalMemory() - vm.freeMemory());
		}
		return least;
	}

	private static String pin(Random random) {
		byte[] hash = new byte[32];

		random.nextBytes(hash);
		return "sha256/" + Base64.getEncoder().encodeToString(hash);
	}

	private static CertificatePinner pinner(int hosts) {
		CertificatePinner.Builder b = new CertificatePinner.Builder();
		Random random = new Random(1);

		for (int i = 0; i < hosts; i++)
			b.add(i == hosts / 2 ? "www.example.com"
			    : "h" + i + ".example" + i % 9973 + ".com",
			    pin(random), pin(random));
		return b.build();
	}

	private static double round(CertificatePinner p, double seconds) {
		long start = System.nanoTime(), now;
		long end = start + (long) (seconds * 1e9), count = 0;

		do {
			kept = p.findMatchingPins("www.example.com");
			count++;
			now = System.nanoTime();
		} while (now < end);
		return (now - start) / (double) count;
	}

	/** As above, but the clock is read only now and then. */
	private static double fastRound(CertificatePinner p, double seconds) {
		long start = System.nanoTime(), now;
		long end = start + (long) (seconds * 1e9), count = 0;

		do {
			for (int i = 0; i < 256; i++, count++)
				kept = p.findMatchingPins("www.example.com");
			now = System.nanoTime();
		} while (now < end);
		return (now - start) / (double) count;
	}

	public static void main(String[] args) {
		int hosts = Integer.parseInt(args[0]);
		int rounds = Integer.parseInt(args[1]);
		double seconds = Double.parseDouble(args[2]);
		long before = heapInUse();
		CertificatePinner p = pinner(hosts);

		System.out.printf("okhttp-heap-%d %.1f%n", hosts,
		    (heapInUse() - before) / (double) hosts);
		for (int r = 0; r < rounds + WARM_UP; r++) {
			double ns = hosts > 10000 ? round(p, seconds)
			    : fastRound(p, seconds);

			if (r >= WARM_UP)
				System.out.printf("okhttp-find-%d %.1f%n",
				    hosts, ns);
		}
		if (kept == null)
			throw new AssertionError("no pins");
	}
}
