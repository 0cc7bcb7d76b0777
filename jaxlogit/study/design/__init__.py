"""What is simulated: cells, their designs and truths, and the data sets they give by address."""
