# One R peer: reads designs and responses, times its fits, writes values and seconds.
#
# Rscript peers.R MODE FOLDER N P MODELS
# FOLDER has X.bin (N × P) and y.bin (N × MODELS), column-major doubles; gets values.bin
# (doubles, model by model) and seconds.txt (elapsed, without start-up and input).
# MODE: fit (glm.fit), confint (glm + confint), or lr and score: ends solved as roots on refits;
# boot, with a sixth argument: so many replicates of boot() with glm.fit.

args <- commandArgs(trailingOnly = TRUE)
mode <- args[1]
folder <- args[2]
n <- as.integer(args[3])
p <- as.integer(args[4])
models <- as.integer(args[5])
X <- matrix(readBin(file.path(folder, "X.bin"), "double", n * p), n, p)
Y <- matrix(readBin(file.path(folder, "y.bin"), "double", n * models), n, models)
if (mode == "confint" && getRversion() < "4.4") suppressMessages(library(MASS))

tight <- glm.control(epsilon = 1e-14, maxit = 100)
cutoff <- qchisq(0.95, 1)

profile_ends <- function(y) {
  suppressMessages(as.vector(t(confint(glm(y ~ 0 + X, family = binomial())))))
}

statistic <- function(value, term, y, deviance, method) {
  restricted <- suppressWarnings(glm.fit(X[, -term, drop = FALSE], y, family = binomial(),
                                         offset = value * X[, term], control = tight))
  if (method == "lr") return(restricted$deviance - deviance)
  mu <- restricted$fitted.values
  score <- sum(X[, term] * (y - mu))
  score^2 * solve(crossprod(X, X * (mu * (1 - mu))))[term, term]
}

root_ends <- function(y, method) {
  full <- glm.fit(X, y, family = binomial(), control = tight)
  mu <- full$fitted.values
  scale <- sqrt(diag(solve(crossprod(X, X * (mu * (1 - mu))))))
  as.vector(sapply(seq_len(p), function(term) {
    sapply(c(-1, 1), function(side) {
      excess <- function(reach) {
        value <- full$coefficients[term] + side * reach * scale[term]
        statistic(value, term, y, full$deviance, method) - cutoff
      }
      far <- 2
      while (excess(far) < 0 && far < 60) far <- far * 1.3
      if (far >= 60) return(side * Inf)
      reach <- uniroot(excess, c(0.1, far), tol = 1e-11)$root
      full$coefficients[term] + side * reach * scale[term]
    })
  }))
}

one <- switch(mode,
  fit = function(y) glm.fit(X, y, family = binomial())$coefficients,
  confint = profile_ends,
  lr = function(y) root_ends(y, "lr"),
  score = function(y) root_ends(y, "score"),
  boot = function(y) boot::boot(cbind(y, X), function(data, i) {
    glm.fit(data[i, -1], data[i, 1], family = binomial())$coefficients
  }, R = as.integer(args[6]))$t[1, ]
)
invisible(suppressWarnings(one(Y[, 1])))  # byte-compiles what is called
start <- Sys.time()
values <- suppressWarnings(apply(Y, 2, one))
seconds <- as.numeric(difftime(Sys.time(), start, units = "secs"))
writeBin(as.vector(values), file.path(folder, "values.bin"))
writeLines(format(seconds, digits = 9), file.path(folder, "seconds.txt"))
