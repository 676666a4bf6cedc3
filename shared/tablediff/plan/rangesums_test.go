package plan

import (
	"math"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"ace/shared/table"
)

func TestPackedSums_RoundTrip(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		groups := rapid.IntRange(1, 300).Draw(rt, "groups")
		sums := make([]table.Sum, groups)
		var want int64
		for range rapid.IntRange(0, groups).Draw(rt, "filled") {
			sum := table.Sum{Rows: rapid.Int64Range(0, 1<<40).Draw(rt, "rows"), Digest: rapid.Int64().Draw(rt, "digest")}
			if sum.Rows == 0 {
				sum.Digest = 0
			}

			at := rapid.IntRange(0, groups-1).Draw(rt, "group")
			want += sum.Rows - sums[at].Rows
			sums[at] = sum
		}

		read := make([]table.Sum, groups)
		rows, err := AddPacked(PackSums(sums), read)
		if err != nil || rows != want || !slices.Equal(sums, read) {
			rt.Fatalf("%v became %v of %d rows, error %v", sums, read, rows, err)
		}

		rows, err = AddPacked(PackSums(sums), read)
		for i, sum := range read {
			if err != nil || rows != want || sum != sums[i].Add(sums[i]) {
				rt.Fatalf("twice %v is %v, error %v", sums[i], sum, err)
			}
		}
	})
}

func TestPackedSums_DamagedOnesAreAnError(t *testing.T) {
	whole := PackSums([]table.Sum{{}, {Rows: 300, Digest: math.MinInt64}, {}, {Rows: 1, Digest: -1}})
	for n := 1; n < len(whole); n++ {
		if n == 11 { // these bytes are the first of the two sums, which is complete
			continue
		}
		if _, err := AddPacked(whole[:n], make([]table.Sum, 4)); err == nil {
			t.Errorf("%d of %d bytes are read", n, len(whole))
		}
	}

	if _, err := AddPacked(whole, make([]table.Sum, 3)); err == nil {
		t.Error("a group too many is read")
	}
}

func FuzzPackedSums(f *testing.F) {
	f.Add([]byte(nil))
	f.Add(PackSums([]table.Sum{{Rows: 1, Digest: 7}, {}, {Rows: 1 << 40, Digest: -7}}))
	f.Add([]byte{0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1})
	f.Fuzz(func(t *testing.T, packed []byte) {
		sums := make([]table.Sum, 256)
		rows, err := AddPacked(packed, sums)
		if err != nil {
			return
		}

		var total int64
		for _, sum := range sums {
			total += sum.Rows
		}

		again := make([]table.Sum, 256)
		if n, err := AddPacked(PackSums(sums), again); err != nil || n != rows || total != rows || !slices.Equal(sums, again) {
			t.Errorf("%x: %d rows became %d of %d, error %v", packed, rows, n, total, err)
		}
	})
}

func TestFineBuckets_AreThoseOfTheCoarseBuckets(t *testing.T) {
	for _, buckets := range []int{1, 64, 256, 1024, 16_384} {
		p := &Plan{Buckets: buckets}
		coarse := []int{0, p.CoarseBuckets() - 1}
		fine := p.FineBuckets(coarse)
		if !ascendsWithin(fine, 0, buckets) {
			t.Errorf("of %d buckets, these do not ascend: %v", buckets, fine)
		}

		for bucket := range buckets {
			if slices.Contains(coarse, bucket%p.CoarseBuckets()) != slices.Contains(fine, bucket) {
				t.Errorf("bucket %d of %d: %v", bucket, buckets, fine)
			}
		}
	}
}
