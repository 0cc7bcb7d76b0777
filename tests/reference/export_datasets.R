# Writes the CSV files of jaxlogit/datasets from the R packages that carry the data.
#
#   Rscript export_datasets.R [folder]
#
# Needs MASS, boot, brglm2 and survival. The folder defaults to the package's own data folder.
# Rows with a missing value are left out here, once, so that no reader has to decide about them.

folder <- c(commandArgs(trailingOnly = TRUE), file.path("..", "..", "jaxlogit", "datasets"))[1]

export <- function(name, frame) {
  frame <- frame[complete.cases(frame), ]
  write.csv(frame, file.path(folder, paste0(name, ".csv")), row.names = FALSE, quote = FALSE)
  cat(sprintf("%-12s %4d rows  %s\n", name, nrow(frame), paste(names(frame), collapse = " ")))
}

birthwt <- MASS::birthwt
birthwt$race <- c("white", "black", "other")[birthwt$race] # labels, so that a formula sees a factor
export("birthwt", birthwt)

data(endometrial, package = "brglm2")
export("endometrial", endometrial)

export("menarche", MASS::menarche)

export("urine", boot::urine)

columns <- c("pstat", "age", "sex", "hgb", "creat", "mspike")
export("mgus2", survival::mgus2[columns])
