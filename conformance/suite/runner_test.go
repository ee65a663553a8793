package suite

import (
	"context"
	"encoding/base64"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

var (
	dynamicRun = Run{
		Plan:    "oidcc-basic-certification-test-plan",
		Variant: Variant{"client_registration": dynamicClient},
	}
	staticRun = Run{Plan: "oidcc-basic-certification-test-plan", Variant: Variant{"client_registration": staticClient}}
)

// mustRun runs one plan in a bubble whose time is not real.
func mustRun(t *testing.T, s *fakeSuite, run Run, adjust func(*Runner)) []Result {
	t.Helper()
	r := &Runner{API: s.api(), Start: (&fakeOP{}).start}
	if adjust != nil {
		adjust(r)
	}
	results, err := r.Run(t.Context(), []Run{run})
	s.playing.Wait()
	if err != nil {
		t.Fatalf("run: %v", err)
	}
	return results
}

func TestEveryModuleRunsInOrderAndOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "a", "b", "c")
		s.plays["b"] = func(i *instance) { i.finish(Skipped) }
		results := mustRun(t, s, dynamicRun, nil)
		got := ""
		for _, r := range results {
			got += r.Module.Name + "=" + r.Result + " "
		}
		if want := "a=PASSED b=SKIPPED c=PASSED "; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if len(s.started) != 3 {
			t.Errorf("got %d modules started, want 3: nothing is retried", len(s.started))
		}
	})
}

func TestFailedModuleIsNotTriedAgain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "a")
		s.plays["a"] = func(i *instance) {
			i.finish(Failed, Entry{
				Source:  "CheckState",
				Message: "lost",
				Result:  "FAILURE",
			})
		}
		results := mustRun(t, s, dynamicRun, nil)
		if len(s.started) != 1 || results[0].Result != Failed {
			t.Errorf("got %d starts and %s, want one and FAILED", len(s.started), results[0].Result)
		}
		if got := results[0].Failures; len(got) != 1 || got[0] != (Finding{"CheckState", "lost"}) {
			t.Errorf("got failures %v, want the one in the log", got)
		}
	})
}

func TestInterruptedModuleFailsWhateverItsResult(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "a")
		s.plays["a"] = func(i *instance) {
			i.change(func() {
				i.status = Interrupted
				i.result = Passed
			})
		}
		if got := mustRun(t, s, dynamicRun, nil)[0].Result; got != Failed {
			t.Errorf("got %s, want FAILED", got)
		}
	})
}

func TestRepeatRunsEachModuleThatOften(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "a", "b")
		results := mustRun(t, s, staticRun, func(r *Runner) {
			r.Repeat = 20
			r.Modules = func(name string) bool { return name == "b" }
		})
		if len(results) != 20 || len(s.started) != 20 || s.started[0].module != "b" {
			t.Errorf("got %d results of %d starts, want 20 of b", len(results), len(s.started))
		}
	})
}

func TestPlanWithoutSelectedModulesIsLeftOut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "a")
		results := mustRun(t, s, dynamicRun, func(r *Runner) {
			r.Out = t.TempDir()
			r.Modules = func(string) bool { return false }
		})
		if len(results) != 0 || len(s.started) != 0 {
			t.Errorf("got %d results of %d starts, want none", len(results), len(s.started))
		}
	})
}

func TestModulesOfOneAliasNeverOverlap(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			run     Run
			overlap bool
		}{{staticRun, false}, {dynamicRun, true}} {
			s := newFakeSuite(t, "a", "b", "c")
			for _, m := range s.plan {
				s.plays[m.Name] = func(i *instance) { time.Sleep(5 * time.Second); i.finish(Passed) }
			}
			mustRun(t, s, c.run, func(r *Runner) { r.Parallel = 3 })
			overlap := s.started[1].began.Before(s.started[0].ended)
			if overlap != c.overlap {
				t.Errorf("%s: got overlap %v, want %v", c.run.Title(), overlap, c.overlap)
			}
		}
	})
}

func TestKeyRotatesWhereAModuleStaysConfigured(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		op := &fakeOP{}
		s := newFakeSuite(t, "passing-through", rotateKeys)
		s.plays["passing-through"] = func(i *instance) {
			i.change(func() { i.status = Configured })
			time.Sleep(2500 * time.Millisecond)
			i.finish(Passed)
		}
		s.plays[rotateKeys] = func(i *instance) {
			i.change(func() { i.status = Configured })
			<-i.started
			if op.rotations != 1 {
				t.Errorf("got %d rotations before the start, want 1", op.rotations)
			}
			i.finish(Passed)
		}
		results := mustRun(t, s, dynamicRun, func(r *Runner) { r.Start = op.start })
		if op.rotations != 1 || results[1].Result != Passed {
			t.Errorf("got %d rotations and %s, want 1 and PASSED", op.rotations, results[1].Result)
		}
	})
}

func TestUnscriptedURLIsVisitedOnceAndMarked(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "session")
		b := &fakeBrowser{}
		s.plays["session"] = func(i *instance) {
			i.change(func() {
				i.status = Waiting
				i.urls = []string{"https://op.test/authorize?x=1"}
			})
			time.Sleep(20 * time.Second)
			i.finish(Passed)
		}
		mustRun(t, s, dynamicRun, func(r *Runner) { r.Browser = b })
		if got := strings.Join(b.visits, " "); got != "GET https://op.test/authorize?x=1" {
			t.Errorf("got visits %q, want the one URL once", got)
		}
		if got := s.started[0].visited; len(got) != 1 || len(s.started[0].uploads) != 0 {
			t.Errorf("got %v marked and %d uploads, want one and none", got, len(s.started[0].uploads))
		}
	})
}

func TestModuleGoesOnWhenTheSuiteAnswers500ForAMoment(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "closing", "broken")
		s.plays["closing"] = func(i *instance) {
			i.change(func() {
				i.status = Waiting
				i.closing = 1
			})
			time.Sleep(20 * time.Second)
			i.finish(Passed)
		}
		s.plays["broken"] = func(i *instance) {
			i.change(func() {
				i.status = Waiting
				i.closing = 1 << 30
			})
		}
		results := mustRun(t, s, dynamicRun, nil)
		if got := results[0]; got.Result != Passed {
			t.Errorf("got %s %v after one answer of 500, want PASSED", got.Result, got.Failures)
		}
		if got := results[1]; got.Result != Failed || !s.started[1].stopped {
			t.Errorf(
				"got %s, stopped %v where nothing but 500 is answered; want FAILED and a stop",
				got.Result,
				s.started[1].stopped,
			)
		}
	})
}

func TestOpenPlaceholderGetsThePageThatWasShown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "review")
		b := &fakeBrowser{}
		s.plays["review"] = func(i *instance) {
			i.change(func() {
				i.status = Waiting
				i.open = []string{"shot"}
				i.log = []Entry{{Page: "<h1>first</h1>"}, {Page: "<h1>last</h1>"}}
			})
			time.Sleep(20 * time.Second)
			i.finish(Review)
		}
		results := mustRun(t, s, dynamicRun, func(r *Runner) { r.Browser = b })
		if got := strings.Join(b.drawn, ""); got != "<h1>last</h1>" {
			t.Errorf("got %q drawn, want the last page once", got)
		}
		want := "text/plain data:image/png;base64," + base64.StdEncoding.EncodeToString([]byte("drawn"))
		if got := s.started[0].uploads["shot"]; got != want {
			t.Errorf("got upload %q, want %q", got, want)
		}
		if v := (Expectations{}).Evaluate(results, true); v.OK() ||
			!strings.Contains(v.Unexpected[0], "not by a text match") {
			t.Errorf("got evaluation %v, want the uploaded review unexpected", v)
		}
	})
}

func TestPlaceholderThatTheSuiteFillsIsLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "review")
		s.plays["review"] = func(i *instance) {
			i.change(func() {
				i.status = Waiting
				i.open = []string{"shot"}
				i.log = []Entry{{Page: "<p>"}}
			})
			time.Sleep(3 * time.Second)
			i.finish(Review, Entry{Matched: "signed out"})
		}
		results := mustRun(t, s, dynamicRun, nil)
		if results[0].Uploaded != 0 || !(Expectations{}).Evaluate(results, true).OK() {
			t.Errorf("got %d uploads, %v; want none and an accepted review", results[0].Uploaded, results[0])
		}
	})
}

func TestPlanThatCannotBeRunStopsNoOther(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "a")
		broken := errors.New("no such binary")
		r := &Runner{
			API: s.api(),
			Start: func(_ context.Context, run Run) (Provider, error) {
				if run.Variant.Includes(staticRun.Variant) {
					return nil, broken
				}
				return &fakeOP{}, nil
			},
		}
		results, err := r.Run(t.Context(), []Run{staticRun, dynamicRun})
		s.playing.Wait()
		if len(results) != 1 || results[0].Result != Passed || !errors.Is(err, broken) {
			t.Errorf("got %v, %v; want the other plan's result and the error", results, err)
		}
	})
}

func TestModuleThatRestsAMinuteIsNotStalled(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "resting")
		s.plays["resting"] = func(i *instance) {
			i.change(func() {
				i.status = Waiting
				i.log = []Entry{{Time: 1}}
			})
			time.Sleep(70 * time.Second)
			i.finish(Passed)
		}
		if results := mustRun(t, s, dynamicRun, nil); results[0].Result != Passed {
			t.Errorf("got %s %v, want PASSED", results[0].Result, results[0].Failures)
		}
	})
}

func TestStalledModuleIsStoppedAndFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "hanging", "next")
		s.plays["hanging"] = func(i *instance) {
			i.change(func() {
				i.status = Waiting
				i.log = []Entry{{Time: 1}}
			})
		}
		results := mustRun(t, s, dynamicRun, nil)
		first := results[0]
		if first.Result != Failed || len(first.Failures) != 1 ||
			!strings.Contains(first.Failures[0].Message, "logged nothing") {
			t.Errorf("got %s %v, want FAILED for its silence", first.Result, first.Failures)
		}
		if first.Took < StallTimeout || first.Took > ModuleTimeout {
			t.Errorf("got stopped after %s, want between %s and %s", first.Took, StallTimeout, ModuleTimeout)
		}
		if !s.started[0].stopped || results[1].Result != Passed {
			t.Errorf("got stopped %v and then %s, want true and PASSED", s.started[0].stopped, results[1].Result)
		}
	})
}

func TestModuleThatNeverEndsIsStopped(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newFakeSuite(t, "endless")
		s.plays["endless"] = func(i *instance) {
			for n := int64(1); i.now() != Interrupted; n++ {
				i.change(func() { i.log = append(i.log, Entry{Time: n}) })
				time.Sleep(time.Second)
			}
		}
		got := mustRun(t, s, dynamicRun, nil)[0]
		if got.Result != Failed || !s.started[0].stopped ||
			!strings.Contains(got.Failures[0].Message, "did not end within") {
			t.Errorf(
				"got %s %v, stopped %v; want FAILED for the limit and a stop",
				got.Result,
				got.Failures,
				s.started[0].stopped,
			)
		}
	})
}

func TestRunGivesTheOPItsUserAndClientsAndClosesIt(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		for _, c := range []struct {
			run     Run
			clients int
		}{{dynamicRun, 0}, {staticRun, 3}} {
			op, s := &fakeOP{}, newFakeSuite(t, "a")
			out := t.TempDir()
			mustRun(t, s, c.run, func(r *Runner) {
				r.Start = op.start
				r.Out = out
			})
			if len(op.users) != 1 || len(op.clients) != c.clients || op.closed != 1 {
				t.Errorf(
					"%s: got %d users, %d clients, closed %d times; want 1, %d, 1",
					c.run.Title(),
					len(op.users),
					len(op.clients),
					op.closed,
					c.clients,
				)
			}
			if _, aliased := s.configs[0]["alias"]; aliased != (c.clients > 0) {
				t.Errorf("%s: got alias %v", c.run.Title(), aliased)
			}
			if text, err := os.ReadFile(filepath.Join(out, fileName(c.run)+".zip")); err != nil ||
				string(text) != "zip" {
				t.Errorf("got export %q, %v", text, err)
			}
		}
	})
}
