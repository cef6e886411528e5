package barcode

import (
	"math/bits"
	"sync"

	"rsc.io/qr/coding"
)

// qrPlans are the layouts of a QR code of 21 by 21 squares with the strongest error correction, one
// for each mask.
var qrPlans = sync.OnceValues(func() (plans [8]*coding.Plan, err error) {
	for mask := range plans {
		if plans[mask], err = coding.NewPlan(1, coding.H, coding.Mask(mask)); err != nil {
			return plans, err
		}
	}
	return plans, nil
})

// qrCode returns the QR code of at most 17 digits: with the mask that a scanner reads best (ISO/IEC
// 18004, 7.8.3).
func qrCode(digits string) (best Code, err error) {
	plans, err := qrPlans()
	if err != nil {
		return Code{}, err
	}
	least := 0
	for _, plan := range plans {
		drawn, err := plan.Encode(coding.Num(digits))
		if err != nil {
			return Code{}, err
		}
		c := Code{Width: drawn.Size, Height: drawn.Size, black: make([]bool, drawn.Size*drawn.Size)}
		rows, columns := make([]uint32, drawn.Size), make([]uint32, drawn.Size)
		for y := range rows {
			for x := range columns {
				if drawn.Black(x, y) {
					c.black[y*c.Width+x] = true
					rows[y] |= 1 << x
					columns[x] |= 1 << y
				}
			}
		}
		if bad := penalty(rows, columns); best.black == nil || bad < least {
			best, least = c, bad
		}
	}
	return best, nil
}

// penalty is larger if a picture is harder to scan. It counts long runs, blocks, patterns that
// look like the square in a corner, and more black than white or the reverse. The lines have a
// bit for each black square.
func penalty(rows, columns []uint32) (bad int) {
	size := len(rows)
	for _, lines := range [][]uint32{rows, columns} {
		for _, line := range lines {
			run := 1
			for i := 1; i <= size; i++ {
				if i < size && line>>i&1 == line>>(i-1)&1 {
					run++
					continue
				}
				if run >= 5 {
					bad += run - 2
				}
				run = 1
			}
			for i := range size - 10 {
				if window := line >> i & 0x7ff; window == 0b10111010000 || window == 0b00001011101 {
					bad += 40
				}
			}
		}
	}
	black := 0
	for y, row := range rows {
		black += bits.OnesCount32(row)
		if y > 0 { // a block is two squares that are equal, above two that are equal to them
			above := rows[y-1]
			blocks := ^(row ^ row>>1) & ^(above ^ above>>1) & ^(row ^ above) & (1<<(size-1) - 1)
			bad += 3 * bits.OnesCount32(blocks)
		}
	}
	percent := 100 * black / (size * size)
	return bad + max(percent-50, 50-percent)/5*10
}
