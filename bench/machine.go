package main

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// machine says where and when figures were taken.
type machine struct {
	cpu    string
	cores  int
	at     time.Time
	ticks  float64 // seconds of all cores since boot
	idle   float64 // of those, idle
	own    float64 // of those, this process and its ended children
	others float64 // share of all cores, from 0 to 1, that other processes took; set by since
}

var modelName = regexp.MustCompile(`(?m)^model name\s*: (.*)$`)

// readMachine asks Linux; elsewhere the parts that it cannot know are empty.
func readMachine() machine {
	m := machine{cpu: runtime.GOARCH, cores: runtime.NumCPU(), at: time.Now()}
	info, _ := os.ReadFile("/proc/cpuinfo")
	if found := modelName.FindSubmatch(info); found != nil {
		m.cpu = string(found[1])
	}
	stat, _ := os.ReadFile("/proc/stat")
	line, _, _ := strings.Cut(string(stat), "\n")
	var user, nice, system, idle, wait, irq, softirq, steal float64 // in hundredths of a second
	if _, err := fmt.Sscanf(line, "cpu %f %f %f %f %f %f %f %f", &user, &nice, &system, &idle, &wait, &irq, &softirq, &steal); err == nil {
		m.idle = (idle + wait) / 100
		m.ticks = m.idle + (user+nice+system+irq+softirq+steal)/100
	}
	for _, who := range []int{syscall.RUSAGE_SELF, syscall.RUSAGE_CHILDREN} {
		var r syscall.Rusage
		if syscall.Getrusage(who, &r) == nil {
			m.own += time.Duration(r.Utime.Nano() + r.Stime.Nano()).Seconds()
		}
	}
	return m
}

// since completes m with what happened since before.
func (m machine) since(before machine) machine {
	if all := m.ticks - before.ticks; all > 0 {
		m.others = max(0, all-(m.idle-before.idle)-(m.own-before.own)) / all
	}
	return m
}

var memTotal = regexp.MustCompile(`(?m)^MemTotal:\s+(\d+) kB$`)

// installed is the memory of the machine in bytes; where it is not known, 8 GiB.
func installed() int64 {
	info, _ := os.ReadFile("/proc/meminfo")
	if found := memTotal.FindSubmatch(info); found != nil {
		if kib, err := strconv.ParseInt(string(found[1]), 10, 64); err == nil {
			return kib << 10
		}
	}
	return 8 << 30
}

// dropCaches empties the system's page cache.
func dropCaches() error {
	syscall.Sync()
	return os.WriteFile("/proc/sys/vm/drop_caches", []byte("1\n"), 0)
}
