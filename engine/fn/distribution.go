package fn

import "math"

var distributionFunctions = []*Function{
	{
		Name: "normal_cdf", Category: maths, CanFail: true,
		Doc:     "The probability of a value up to the third argument, of the normal distribution with a mean and a standard deviation.",
		Example: "normal_cdf(0, 1, 0) → 0.5e0",
		Overloads: []Overload{{Sig: "(double, double, double) -> double", Eval: lift3(func(mean, deviation, v float64) (float64, error) {
			if !(deviation > 0) {
				return 0, valueError("a standard deviation is greater than zero")
			}
			return math.Erfc((mean-v)/(deviation*math.Sqrt2)) / 2, nil
		})}},
	},
	{
		Name: "inverse_normal_cdf", Category: maths, CanFail: true,
		Doc:     "The value up to which the normal distribution with a mean and a standard deviation has a probability.",
		Example: "inverse_normal_cdf(10, 2, 0.5) → 10e0",
		Overloads: []Overload{{Sig: "(double, double, double) -> double", Eval: lift3(func(mean, deviation, p float64) (float64, error) {
			if !(deviation > 0) {
				return 0, valueError("a standard deviation is greater than zero")
			}
			if !(p > 0 && p < 1) {
				return 0, valueError("a probability is between 0 and 1 here, both excluded")
			}
			return mean + deviation*math.Sqrt2*math.Erfinv(2*p-1), nil
		})}},
	},
	{
		Name: "beta_cdf", Category: maths, CanFail: true,
		Doc:     "The probability of a value up to the third argument, of the beta distribution with parameters a and b.",
		Example: "round(beta_cdf(2, 2, 0.25), 6) → 0.15625e0",
		Overloads: []Overload{{Sig: "(double, double, double) -> double", Eval: lift3(func(a, b, v float64) (float64, error) {
			if !(v >= 0 && v <= 1) {
				return 0, valueError("a value of the beta distribution is from 0 to 1")
			}
			return incompleteBeta(a, b, v), checkBeta(a, b)
		})}},
	},
	{
		Name: "inverse_beta_cdf", Category: maths, CanFail: true,
		Doc:     "The value up to which the beta distribution with parameters a and b has a probability.",
		Example: "round(inverse_beta_cdf(2, 2, 0.5), 9) → 0.5e0",
		Overloads: []Overload{{Sig: "(double, double, double) -> double", Eval: lift3(func(a, b, p float64) (float64, error) {
			if !(p >= 0 && p <= 1) {
				return 0, valueError("a probability is from 0 to 1")
			}
			if err := checkBeta(a, b); err != nil {
				return 0, err
			}
			if p == 0 || p == 1 {
				return p, nil
			}
			low, high := 0.0, 1.0
			for middle := 0.5; low < middle && middle < high; middle = (low + high) / 2 { // the function grows: halve to the last digit
				if incompleteBeta(a, b, middle) < p {
					low = middle
				} else {
					high = middle
				}
			}
			return high, nil
		})}},
	},
	{
		Name: "wilson_interval_lower", Category: maths, CanFail: true,
		Doc:       "The lower bound of Wilson's score interval: of so many successes in so many trials, at a z-score.",
		Example:   "round(wilson_interval_lower(1250, 1310, 1.96e0), 6) → 0.941488e0",
		Overloads: []Overload{{Sig: "(bigint, bigint, double) -> double", Eval: lift3(wilson(-1))}},
	},
	{
		Name: "wilson_interval_upper", Category: maths, CanFail: true,
		Doc:       "The upper bound of Wilson's score interval: of so many successes in so many trials, at a z-score.",
		Example:   "round(wilson_interval_upper(1250, 1310, 1.96e0), 6) → 0.964252e0",
		Overloads: []Overload{{Sig: "(bigint, bigint, double) -> double", Eval: lift3(wilson(1))}},
	},
	{
		Name: "t_cdf", Category: maths, CanFail: true,
		Doc:     "The probability of a value up to the first argument, of Student's t-distribution with so many degrees of freedom.",
		Example: "t_cdf(0, 5) → 0.5e0",
		Overloads: []Overload{{Sig: "(double, double) -> double", Eval: lift2(func(v, degrees float64) (float64, error) {
			tail := incompleteBeta(degrees/2, 0.5, degrees/(degrees+v*v)) / 2
			if v > 0 {
				tail = 1 - tail
			}
			return tail, checkDegrees(degrees)
		})}},
	},
	{
		Name: "t_pdf", Category: maths, CanFail: true,
		Doc:     "The density at a value of Student's t-distribution with so many degrees of freedom.",
		Example: "round(t_pdf(0, 5), 6) → 0.379607e0",
		Overloads: []Overload{{Sig: "(double, double) -> double", Eval: lift2(func(v, degrees float64) (float64, error) {
			top, _ := math.Lgamma((degrees + 1) / 2)
			bottom, _ := math.Lgamma(degrees / 2)
			return math.Exp(top-bottom-(degrees+1)/2*math.Log1p(v*v/degrees)) / math.Sqrt(degrees*math.Pi), checkDegrees(degrees)
		})}},
	},
}

func checkBeta(a, b float64) error {
	if !(a > 0 && b > 0) {
		return valueError("the parameters of the beta distribution are greater than zero")
	}
	return nil
}

func checkDegrees(n float64) error {
	if !(n > 0) {
		return valueError("the degrees of freedom of a t-distribution are greater than zero")
	}
	return nil
}

// incompleteBeta is the regularised incomplete beta function, by the continued fraction of DLMF 8.17.22, evaluated with Lentz's method.
func incompleteBeta(a, b, x float64) float64 {
	switch {
	case x <= 0:
		return 0
	case x >= 1:
		return 1
	case x > (a+1)/(a+b+2): // where the fraction converges slowly
		return 1 - incompleteBeta(b, a, 1-x)
	}
	const tiny, enough, steps = 1e-300, 1e-16, 10_000
	c, d := 1.0, 1-(a+b)*x/(a+1)
	if math.Abs(d) < tiny {
		d = tiny
	}
	d = 1 / d
	fraction := d
	for m := 1.0; m <= steps; m++ {
		change := 1.0
		for _, term := range [2]float64{
			m * (b - m) * x / ((a + 2*m - 1) * (a + 2*m)),
			-(a + m) * (a + b + m) * x / ((a + 2*m) * (a + 2*m + 1)),
		} {
			if d = 1 + term*d; math.Abs(d) < tiny {
				d = tiny
			}
			if c = 1 + term/c; math.Abs(c) < tiny {
				c = tiny
			}
			d = 1 / d
			change = d * c
			fraction *= change
		}
		if math.Abs(change-1) < enough {
			break
		}
	}
	la, _ := math.Lgamma(a)
	lb, _ := math.Lgamma(b)
	lab, _ := math.Lgamma(a + b)
	return math.Exp(lab-la-lb+a*math.Log(x)+b*math.Log1p(-x)) * fraction / a
}

// wilson makes the lower (side -1) or upper bound of E. B. Wilson, "Probable inference" (1927).
func wilson(side float64) func(successes, trials int64, z float64) (float64, error) {
	return func(successes, trials int64, z float64) (float64, error) {
		switch {
		case successes < 0 || trials <= 0 || successes > trials:
			return 0, valueError("the successes are from 0 to the number of trials, which is greater than zero")
		case z < 0:
			return 0, valueError("a z-score must not be negative")
		}
		s, n := float64(successes), float64(trials)
		p, zz := s/n, z*z/n
		return (p + zz/2 + side*z*math.Sqrt((p*(1-p)+zz/4)/n)) / (1 + zz), nil
	}
}
