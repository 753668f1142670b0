package compact

import (
	"context"
	"encoding/json"
	"errors"
	"hash/fnv"
	"io"
	"maps"
	"os"
	"path"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/trailql/trailql/connectors/blob"
)

// Compactors of one lake share the work by account, region and day of delivery. There is no leader and there are no locks: each keeps one small
// object in the lake that says that it is there and which others it knows of, its view. A part of the work belongs to the member of the view whose hash with
// it is the highest. A member works only while all others that work have it in their views. Then no two take the same part, even while their views differ:
// if A, by its view, is ahead of B, and B, by its own, ahead of A, one of them does not know of the other.
//
// All this saves work and nothing else. What is committed is decided by the commit: it drops what another one has committed before.

const membersFolder = "_trailql/compactors/"

const (
	lapse    = time.Minute // a member of another host whose object did not change for so long is gone
	joinWait = time.Minute // no longer does a new member wait for the others to make room for it
)

// member is what a compactor says of itself.
type member struct {
	ID      string
	Host    string
	Process int
	Sources []string  // their URLs
	Follow  bool      // goes on for good; runs, which end, do not count on it
	Idle    bool      // has nothing to do and no part in the work
	View    []string  // ids of those it shares with, itself among them
	Time    time.Time // of the last change, by its own clock
}

// share is a compactor's part in the work that it shares with others.
type share struct {
	store blob.Store
	opt   Options

	asking sync.Mutex // held while the lake is asked or told; it guards these two
	etags  map[string]string
	seen   map[string]seen

	mu      sync.Mutex // never held while the lake is asked: each object asks whose it is
	self    member
	view    []member // that self.View names; itself among them
	others  []member // that were there at the last look and work
	lost    bool     // a member went away since this was asked last
	resting bool     // nothing is under way, so that a new view can be taken at once

	beating context.CancelFunc
	beats   sync.WaitGroup
}

type seen struct {
	member
	moved time.Time // when a change was noticed, by our clock
	fresh bool      // a change was noticed, not only its first sight
}

// living are the members of this process, so that a lake that is opened again by the same process knows who is gone.
var living sync.Map

func newShare(store blob.Store, id string, sources []blob.Store, opt Options) *share {
	host, _ := os.Hostname()
	s := &share{store: store, opt: opt, etags: map[string]string{}, seen: map[string]seen{}}
	s.self = member{ID: id, Host: host, Process: os.Getpid(), View: []string{id}}
	for _, source := range sources {
		s.self.Sources = append(s.self.Sources, source.URL())
	}
	s.view = []member{s.self}
	return s
}

func (m *member) name() string { return membersFolder + m.ID + ".json" }

// write tells the others of this member.
func (s *share) write(ctx context.Context) error {
	s.mu.Lock()
	s.self.Time = s.opt.Now().UTC()
	self := s.self
	s.mu.Unlock()
	text, err := json.Marshal(&self)
	if err != nil {
		return err
	}
	w, err := s.store.Create(ctx, self.name())
	if err != nil {
		return err
	}
	defer w.Abort()
	if _, err := w.Write(text); err != nil {
		return err
	}
	return w.Close()
}

// look finds who else is there.
func (s *share) look(ctx context.Context) error {
	var there []blob.Info
	err := s.store.List(ctx, membersFolder, "", func(info blob.Info) error {
		if len(there) < 1000 && strings.HasSuffix(info.Name, ".json") && info.Size < 1<<20 {
			there = append(there, info)
		}
		return nil
	})
	if err != nil {
		return err
	}
	now := s.opt.Now()
	found := map[string]bool{}
	for _, info := range there {
		id := strings.TrimSuffix(path.Base(info.Name), ".json")
		found[id] = true
		if id == s.self.ID || s.etags[id] == info.ETag {
			continue
		}
		text, err := s.store.ReadAll(ctx, info.Name)
		if err != nil {
			continue // it went away, or is being written; the next look sees
		}
		var m member
		if json.Unmarshal(text, &m) != nil || m.ID != id {
			continue // not ours to judge, and nothing depends on it
		}
		_, known := s.etags[id]
		s.etags[id] = info.ETag
		s.seen[id] = seen{m, now, known}
	}
	var others []member
	for _, id := range slices.Sorted(maps.Keys(s.seen)) {
		m := s.seen[id]
		if !found[id] {
			delete(s.seen, id)
			delete(s.etags, id)
			continue
		}
		if !s.lives(&m, now) {
			if now.Sub(m.Time) > 24*time.Hour {
				_ = s.store.Delete(ctx, m.name())
			}
			continue
		}
		if !m.Idle && s.counts(&m.member) {
			others = append(others, m.member)
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.others = others
	return nil
}

func (s *share) lives(m *seen, now time.Time) bool {
	if m.Host == s.self.Host {
		if m.Process == s.self.Process {
			_, here := living.Load(m.ID)
			return here
		}
		p, err := os.FindProcess(m.Process)
		if err == nil {
			err = p.Signal(syscall.Signal(0))
		}
		if errors.Is(err, os.ErrProcessDone) || errors.Is(err, syscall.ESRCH) {
			return false
		}
	}
	return m.fresh && now.Sub(m.moved) < lapse || now.Sub(m.Time).Abs() < lapse
}

// counts reports whether work is shared with a member: it has a source in common, and a run does not leave its work to what never ends.
func (s *share) counts(m *member) bool {
	if m.Follow && !s.self.Follow {
		return false
	}
	return slices.ContainsFunc(s.self.Sources, func(url string) bool { return m.covers(url + "/") }) ||
		slices.ContainsFunc(m.Sources, func(url string) bool { return s.self.covers(url + "/") })
}

// covers reports whether a URL is in one of the member's sources.
func (m *member) covers(url string) bool {
	return slices.ContainsFunc(m.Sources, func(source string) bool { return strings.HasPrefix(url, source+"/") })
}

// changed reports whether others have come or gone since the view was taken.
func (s *share) changed() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.stale()
}

func (s *share) stale() bool {
	return len(s.view) != len(s.others)+1 || slices.ContainsFunc(s.others, func(m member) bool { return !slices.Contains(s.self.View, m.ID) })
}

// adopt takes those who are there as the view. Nothing that is not this member's by it may be under way.
func (s *share) adopt(ctx context.Context) error {
	s.asking.Lock()
	defer s.asking.Unlock()
	s.take()
	return ignore(ctx, s.write(ctx))
}

func (s *share) take() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, m := range s.view {
		if m.ID != s.self.ID && !slices.ContainsFunc(s.others, func(o member) bool { return o.ID == m.ID }) {
			s.lost = true
		}
	}
	s.view = append(slices.Clone(s.others), s.self)
	s.self.View = s.self.View[:0:0]
	for _, m := range s.view {
		s.self.View = append(s.self.View, m.ID)
	}
}

// ignore drops an error of telling or asking others: without them the work is done as well, if some of it twice.
func ignore(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return nil
}

// mine reports whether an object is this compactor's to read.
func (s *share) mine(p *pending) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.view) == 1 || p.span.hinted {
		return true
	}
	var best uint64
	first := true
	mine := false
	for i := range s.view {
		m := &s.view[i]
		if m.ID != s.self.ID && !m.covers(p.url) {
			continue
		}
		if w := weight(m.ID, p); first || w > best {
			best, mine, first = w, m.ID == s.self.ID, false
		}
	}
	return mine
}

// weight is how much a part of the work is a member's: that of the highest has it.
func weight(id string, p *pending) uint64 {
	h := fnv.New64a()
	text := func(t string) {
		_, _ = io.WriteString(h, t)
		_, _ = h.Write([]byte{0})
	}
	text(id)
	text(p.name.Account)
	text(p.name.Region)
	text(p.name.Stamp.UTC().Format(time.DateOnly))
	if p.name.Account == "" {
		text(p.url)
	}
	x := h.Sum64() // its high bits hardly differ where the last bytes do
	x ^= x >> 33
	x *= 0xff51afd7ed558ccd
	x ^= x >> 33
	x *= 0xc4ceb9fe1a85ec53
	return x ^ x>>33
}

// join makes this compactor one of those that share the work, and waits until the others have made room.
func (s *share) join(ctx context.Context, progress *Progress) error {
	living.Store(s.self.ID, true)
	begun := s.opt.Now()
	defer progress.Waiting.Store(false)
	for {
		s.asking.Lock()
		err := s.look(ctx)
		if err == nil {
			s.take()
			if err = s.write(ctx); err == nil {
				err = s.look(ctx) // who came at the same time sees this member, or is seen by it
			}
		}
		s.asking.Unlock()
		if ctx.Err() != nil {
			s.leave(ctx)
			return ctx.Err()
		}
		if err != nil || s.room() || s.opt.Now().Sub(begun) > joinWait {
			break
		}
		progress.Waiting.Store(true)
		if err := wait(ctx, s.opt.beat/4); err != nil {
			s.leave(ctx)
			return err
		}
	}
	s.rest(true)
	beating, stop := context.WithCancel(context.WithoutCancel(ctx))
	s.beating = stop
	s.beats.Go(func() {
		for wait(beating, s.opt.beat) == nil {
			s.asking.Lock()
			if s.look(beating) == nil {
				s.takeAtRest()
				_ = s.write(beating)
			}
			s.asking.Unlock()
		}
	})
	return nil
}

// leave ends this member; what is left of its object if that fails is known for dead by its process, or after a while.
func (s *share) leave(ctx context.Context) {
	if s.beating != nil {
		s.beating()
		s.beats.Wait()
	}
	living.Delete(s.self.ID)
	_ = s.store.Delete(context.WithoutCancel(ctx), s.self.name())
}

// outwait gives up this member's part and waits until no other works any more.
func (s *share) outwait(ctx context.Context, progress *Progress) error {
	progress.Waiting.Store(true)
	defer progress.Waiting.Store(false)
	s.setIdle(true)
	for told := false; ; {
		s.asking.Lock()
		var err error
		if !told {
			told = true
			err = s.write(ctx)
		}
		if err == nil {
			err = s.look(ctx)
		}
		s.asking.Unlock()
		alone := s.setAlone(err != nil)
		if err := ignore(ctx, err); err != nil || alone {
			return err
		}
		if err := wait(ctx, s.opt.beat/2); err != nil {
			return err
		}
	}
}

func (s *share) setIdle(idle bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.self.Idle = idle
}

// setAlone takes all of the work if no other is there, or if that cannot be known, and reports whether it has.
func (s *share) setAlone(surely bool) bool {
	s.mu.Lock()
	if surely {
		s.others = nil
	}
	alone := len(s.others) == 0
	if alone {
		s.self.Idle = false
	}
	s.mu.Unlock()
	if alone {
		s.take()
	}
	return alone
}

// room reports whether all others have this member in their views, and it them in its own.
func (s *share) room() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.stale() && !slices.ContainsFunc(s.others, func(m member) bool { return !slices.Contains(m.View, s.self.ID) })
}

// takeAtRest takes the view at once if nothing is under way.
func (s *share) takeAtRest() {
	s.mu.Lock()
	resting := s.resting
	s.mu.Unlock()
	if resting {
		s.take()
	}
}

// rest tells whether nothing is under way until further notice.
func (s *share) rest(resting bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.resting = resting
}

// lostSome reports whether a member of the view went away since this was asked last.
func (s *share) lostSome() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	lost := s.lost
	s.lost = false
	return lost
}

func wait(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}
