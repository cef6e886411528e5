package jobs_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"giftcards/jobs/transport/smtptest"
	"giftcards/store"
)

// benchRate is the rate limit in mails a second. Two quiet cores manage 1,000, including
// both servers.
const benchRate = 400

// BenchmarkDelivery sends the mails of a task to an SMTP server on this machine at benchRate, and
// reports the latency of single cards' mails meanwhile. `make microbench` leaves this benchmark
// out, because the rate limit makes it slow. It takes five minutes and 2 GB:
//
//	bin/withserver go test -run '^$' -bench Delivery -benchtime 100000x ./jobs
func BenchmarkDelivery(b *testing.B) {
	p := newPost(b, smtptest.Hooks{})
	recipients := make([]store.Recipient, b.N)
	for i := range recipients {
		address := fmt.Sprintf("bulk-%d@example.com", i)
		recipients[i].Email = &address
	}
	// The task's messages are due before the single cards.
	p.issueTask(b, recipients)
	b.ResetTimer()
	stop := p.run(benchRate)
	issued := map[string]time.Time{}
	for p.count(b, "messages where bulk and status = 'scheduled'") > 0 {
		address := fmt.Sprintf("single-%d@example.com", len(issued))
		issued[address] = time.Now()
		p.issue(func(_ *store.Terms, r *store.Recipient) { r.Email = &address })
		time.Sleep(time.Second)
	}
	b.StopTimer()
	p.reach(store.MessageScheduled, 0)
	stop()
	var took []time.Duration
	bulk := map[string]bool{}
	for _, m := range p.mails.Mails() {
		if at, single := issued[m.To]; single {
			took = append(took, m.At.Sub(at))
		} else if bulk[m.To] || !strings.HasPrefix(m.To, "bulk-") {
			b.Fatalf("a mail too many, to %s", m.To)
		} else {
			bulk[m.To] = true
		}
	}
	if len(bulk) != b.N || len(took) != len(issued) {
		b.Fatalf("%d of %d mails, %d of %d single ones", len(bulk), b.N, len(took), len(issued))
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
	b.ReportMetric(slices.Max(took).Seconds(), "s/slowest-single")
}
