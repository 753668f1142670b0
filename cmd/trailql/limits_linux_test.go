package main

import (
	"bytes"
	"compress/flate"
	"encoding/binary"
	"fmt"
	"hash/crc32"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// What a process may take: memory and disk. Only Linux says how much it took, and lets root mount a small disk.

// peakOf runs a process to its end and tells its largest resident set, as the process itself saw it: the Maxrss that a parent
// gets to know of a child may be the parent's own at the time of the fork.
func peakOf(t testing.TB, args ...string) (code int, errs string, peak int64) {
	t.Helper()
	c := command(t, args...)
	report := filepath.Join(t.TempDir(), "status")
	c.Env = append(c.Env, peakTo+"="+report)
	code, errs = exitOf(t, c)
	status, err := os.ReadFile(report)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`VmHWM:\s+(\d+) kB`).FindSubmatch(status)
	if m == nil {
		t.Skip("no VmHWM in /proc/self/status")
	}
	kb, err := strconv.ParseInt(string(m[1]), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	return code, errs, kb << 10
}

// bomb is gzip of start, then n MiB of one byte, then end: a megabyte or so for a gibibyte.
func bomb(start string, fill byte, n int, end string) []byte {
	out := bytes.NewBuffer([]byte{0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 255})
	w, err := flate.NewWriter(out, flate.BestCompression)
	if err != nil {
		panic(err)
	}
	mib := bytes.Repeat([]byte{fill}, 1<<20)
	sum, size := crc32.ChecksumIEEE([]byte(start)), len(start)
	add := func(b []byte) {
		w.Write(b)
		w.Flush()
	}
	add([]byte(start))
	var again []byte // what the compressor makes of a MiB after another one
	for i := range n {
		if i < 2 {
			before := out.Len()
			add(mib)
			again = bytes.Clone(out.Bytes()[before:])
		} else {
			out.Write(again)
		}
		sum, size = crc32.Update(sum, crc32.IEEETable, mib), size+len(mib)
	}
	rest, tail := &bytes.Buffer{}, []byte(end)
	w.Reset(rest)
	w.Write(tail)
	w.Close()
	out.Write(rest.Bytes())
	sum, size = crc32.Update(sum, crc32.IEEETable, tail), size+len(tail)
	return binary.LittleEndian.AppendUint32(binary.LittleEndian.AppendUint32(out.Bytes(), sum), uint32(size))
}

// Bombs are set aside without being held; the others of the trail go on.
func TestBombs(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it unpacks a few GiB")
	}
	calm := objects{trailName(0): gzipped(recordsOf(eventOf("good")))}.write(t, t.TempDir())
	_, _, base := peakOf(t, "compact", calm, "--lake", filepath.Join(t.TempDir(), "lake"))
	const records = 128 << 20 // beside the object, what was made of its first hundred thousand records
	for _, c := range []struct {
		why  string
		data []byte
		more int64
	}{
		{"zeros", bomb("", 0, 1024, ""), 0},
		{"one string", bomb(`{"Records":[{"eventID":"`, 'x', 1024, `"}]}`), 0},
		{"white space", bomb(`{"Records":[`, ' ', 1024, `]}`), 0},
		{"brackets", bomb(`{"Records":[`, '[', 1024, `]}`), 0},
		{"digits", bomb(`{"Records":[{"n":`, '1', 1024, `}]}`), 0},
		{"white space before all", bomb(``, ' ', 1024, `{"Records":[]}`), 0},
		{"one line", bomb(eventOf("first")+"\n", 'x', 1024, "\n"), 0},
		{"gzip in gzip", gzipped(bomb(`{"Records":[`, ' ', 1024, `]}`)), 0},
		{"records alike", gzipped(recordsOf(strings.Repeat("{},", 10_000_000) + "{}")), records},
		{"one id", gzipped(numbered(400_000, func(i int) string { return eventOf("same", fmt.Sprintf(`,"requestParameters":{"n":%d}`, i)) })), records},
	} {
		t.Run(c.why, func(t *testing.T) {
			source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
			objects{trailName(0): gzipped(recordsOf(eventOf("good"))), trailName(1): c.data}.write(t, source)
			code, errs, peak := peakOf(t, "compact", source, "--lake", lake)
			if code != exitQuarantine {
				t.Fatalf("exit %d\n%s", code, errs)
			}
			t.Logf("%d kB, %d MiB resident, %d MiB without the bomb; %s", len(c.data)>>10, peak>>20, base>>20, lastLine(errs))
			// A bomb may cost what holding one object may: far less than its gibibyte.
			if peak > base+128<<20+c.more {
				t.Errorf("%d MiB resident, %d MiB without the bomb", peak>>20, base>>20)
			}
			reconcile(t, lake)
			expect(t, lake, `SELECT count_if(state = 'quarantined'), count_if(state = 'ok') FROM trail_files`, "1|1")
			expect(t, lake, `SELECT eventid FROM cloudtrail_logs`, "good")
		})
	}
}

// numbered are records, made one by one.
func numbered(n int, record func(i int) string) []byte {
	var out bytes.Buffer
	out.WriteString(`{"Records":[`)
	for i := range n {
		if i > 0 {
			out.WriteByte(',')
		}
		out.WriteString(record(i))
	}
	out.WriteString(`]}`)
	return out.Bytes()
}

// Much of what is allowed is no reason to set an object aside: a record with a million keys.
func TestMuchOfIt(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it reads 30 MiB")
	}
	keys := numbered(1, func(int) string {
		var b strings.Builder
		for i := range 1_000_000 {
			fmt.Fprintf(&b, `,"k%d":1`, i)
		}
		return eventOf("wide", b.String())
	})
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	objects{trailName(0): gzipped(recordsOf(eventOf("good"))), trailName(1): gzipped(keys)}.write(t, source)
	code, errs, peak := peakOf(t, "compact", source, "--lake", lake)
	t.Logf("%d MiB resident; %s", peak>>20, lastLine(errs))
	if code != 0 || peak > 512<<20 {
		t.Errorf("exit %d, %d MiB resident\n%s", code, peak>>20, errs)
	}
	reconcile(t, lake)
	expect(t, lake, `SELECT count(*), count_if(eventid = 'wide' AND json_array_length(json_parse('[' || eventjson || ']')) = 1) FROM cloudtrail_logs`, "2|1")
}

// An object of 32 MiB of JSON in a process of 64 MiB.
func TestLittleMemory(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it reads 32 MiB")
	}
	var content bytes.Buffer
	content.WriteString(`{"Records":[`)
	r := rand.New(rand.NewPCG(1, 2))
	n := 0
	for ; content.Len() < 32<<20; n++ {
		if n > 0 {
			content.WriteByte(',')
		}
		content.WriteString(eventOf(fmt.Sprintf("%016x", r.Uint64()), fmt.Sprintf(`,"requestID":"%016x","sourceIPAddress":"10.0.%d.%d","userAgent":"aws-cli/2.%d","requestParameters":{"bucketName":"b%d","key":"%x"}`,
			r.Uint64(), r.IntN(256), r.IntN(256), r.IntN(20), r.IntN(50), r.Uint64())))
	}
	content.WriteString(`]}`)
	source, lake := t.TempDir(), filepath.Join(t.TempDir(), "lake")
	objects{trailName(1): gzipped(content.Bytes())}.write(t, source)
	code, errs, peak := peakOf(t, "compact", source, "--lake", lake, "--memory", "64MiB")
	t.Logf("%d records, %d MiB resident; %s", n, peak>>20, lastLine(errs))
	if code != 0 {
		t.Fatalf("exit %d\n%s", code, errs)
	}
	reconcile(t, lake)
	expect(t, lake, `SELECT count(*), count(DISTINCT eventid) FROM cloudtrail_logs`, fmt.Sprintf("%d|%d", n, n))
	if peak > 3*64<<20 {
		t.Errorf("%d MiB resident with --memory 64MiB", peak>>20)
	}
	code, errs, peak = peakOf(t, "query", "--lake", lake, "--memory", "64MiB", `SELECT sourceipaddress, count(*) FROM cloudtrail_logs GROUP BY 1 ORDER BY 2 DESC LIMIT 3`)
	t.Logf("a query: exit %d, %d MiB resident; %s", code, peak>>20, lastLine(errs))
	if code != 0 && !strings.Contains(errs, "memory") || peak > 3*64<<20 {
		t.Errorf("a query: exit %d, %d MiB resident\n%s", code, peak>>20, errs)
	}
}

// disk mounts a file system of so many bytes on a new folder.
func disk(t *testing.T, size int) (dir string, resize func(size int)) {
	t.Helper()
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small disk")
	}
	dir = filepath.Join(t.TempDir(), "disk")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)); err != nil {
		t.Skipf("no disk can be mounted here: %v", err)
	}
	t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
	return dir, func(size int) {
		if err := syscall.Mount("tmpfs", dir, "tmpfs", syscall.MS_REMOUNT, fmt.Sprintf("size=%d", size)); err != nil {
			t.Fatal(err)
		}
	}
}

// A full disk stops the compactor cleanly; once there is room, it goes on to the same lake.
func TestFullDisk(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it compacts many times")
	}
	source := smallTrail(t, t.TempDir(), 1500)
	whole := filepath.Join(t.TempDir(), "lake")
	compactTo(t, exitQuarantine, whole, source)
	want := everything(t, whole)
	for _, kib := range []int{8, 56, 64, 76, 112, 144, 256, 1024, 4096} {
		t.Run(fmt.Sprintf("%d KiB", kib), func(t *testing.T) {
			dir, resize := disk(t, kib<<10)
			lake := filepath.Join(dir, "lake")
			code, out, errs := trailql(t, "compact", source, "--lake", lake)
			t.Logf("exit %d: %s", code, lastLine(errs))
			if out != "" {
				t.Errorf("stdout: %q", out)
			}
			switch code {
			case exitFailed:
				if !strings.Contains(errs, "no space left on device") || strings.Contains(errs, "internal error") {
					t.Errorf("the reason is not told:\n%s", errs)
				}
			case exitQuarantine: // it was enough
			default:
				t.Fatalf("exit %d:\n%s", code, errs)
			}
			// What was committed can be asked, full as the disk is; nothing of what was not is there.
			if _, err := os.Stat(filepath.Join(lake, "trail_files", "_delta_log", "00000000000000000000.json")); err == nil {
				reconcile(t, lake)
			}
			resize(64 << 20)
			compactTo(t, map[bool]int{true: exitQuarantine}[code == exitFailed], lake, source)
			if got := everything(t, lake); !slices.Equal(got, want) {
				t.Errorf("%d rows, want %d, or other ones", len(got), len(want))
			}
		})
	}
}

// Queries need no right to write: neither to the lake nor beside it.
func TestReadOnlyLake(t *testing.T) {
	if testing.Short() {
		t.Skip("not with -short: it mounts")
	}
	source, lake := smallTrail(t, t.TempDir(), 300), filepath.Join(t.TempDir(), "lake")
	compactTo(t, exitQuarantine, lake, source)
	want := everything(t, lake)
	bare := filepath.Join(t.TempDir(), "lake")
	if out, err := exec.Command("cp", "-r", lake, bare).CombinedOutput(); err != nil {
		t.Skipf("cp: %v\n%s", err, out)
	}
	if err := os.RemoveAll(filepath.Join(bare, "_trailql", "index.db")); err != nil {
		t.Fatal(err)
	}
	for why, dir := range map[string]string{"with its index": lake, "without an index": bare} {
		t.Run(why, func(t *testing.T) {
			if os.Getuid() == 0 {
				if err := syscall.Mount(dir, dir, "", syscall.MS_BIND, ""); err != nil {
					t.Skipf("nothing can be mounted here: %v", err)
				}
				t.Cleanup(func() { syscall.Unmount(dir, syscall.MNT_DETACH) })
				if err := syscall.Mount("", dir, "", syscall.MS_REMOUNT|syscall.MS_BIND|syscall.MS_RDONLY, ""); err != nil {
					t.Skip(err)
				}
			} else {
				filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error { return os.Chmod(path, 0o555) })
				t.Cleanup(func() {
					filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error { return os.Chmod(path, 0o777) })
				})
			}
			for range 2 {
				if got := everything(t, dir); !slices.Equal(got, want) {
					t.Errorf("%d rows, want %d", len(got), len(want))
				}
			}
			code, _, errs := trailql(t, "compact", objects{trailName(1): gzipped(recordsOf(eventOf("new")))}.write(t, t.TempDir()), "--lake", dir)
			if code != exitFailed || !strings.Contains(errs, "read-only file system") && !strings.Contains(errs, "permission denied") {
				t.Errorf("compact into it: exit %d\n%s", code, errs)
			}
		})
	}
}
